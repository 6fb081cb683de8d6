"""The golden files are what the code gives, and the check sees what is not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def golden(*words: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    paths = [str(REPOSITORY / name) for name in ("common", "protocol", "models")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.golden", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_golden_files_are_what_the_code_gives() -> None:
    done = golden("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The generator and its files in another place."""
    (tmp_path / "tests").mkdir()
    shutil.copy(REPOSITORY / "tests" / "golden.py", tmp_path / "tests")
    shutil.copytree(REPOSITORY / "tests" / "golden", tmp_path / "tests" / "golden")
    return tmp_path


def test_the_generator_writes_the_same_files(copy: Path) -> None:
    shutil.rmtree(copy / "tests" / "golden")
    assert golden(folder=copy).returncode == 0
    assert golden("--check", folder=copy).returncode == 0
    names = {path.name for path in (copy / "tests" / "golden").iterdir()}
    assert names == {path.name for path in (REPOSITORY / "tests" / "golden").iterdir()}


def test_the_check_sees_changed_missing_and_strange_files(copy: Path) -> None:
    folder = copy / "tests" / "golden"
    data = json.loads((folder / "front_end.json").read_text())
    data["mfcc"][2][5] += 0.01
    data["digest"] = "0" * 64
    (folder / "front_end.json").write_text(json.dumps(data))
    (folder / "labels.json").unlink()
    (folder / "more.json").write_text("{}")
    done = golden("--check", folder=copy)
    assert done.returncode == 1
    for text in ("front_end.mfcc[2][5]: file", "front_end.digest: file '000", "labels.json is missing"):
        assert text in done.stdout
    assert "more.json has no generator" in done.stdout
    assert len(done.stdout.splitlines()) == 4
