"""Session folders of several test processes: filled by one of them, complete for all."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.shared_folders import shared_folder

REPOSITORY = Path(__file__).resolve().parents[1]
SUITE = """
import os
import time
from pathlib import Path
import pytest
from tests.support.shared_folders import shared_folder

def fill(folder):
    with open({log!r}, "a") as log:
        log.write("filled\\n")
    time.sleep(0.5)
    (folder / "content").write_text("complete")

@pytest.mark.parametrize("number", range(4))
def test_all_see_the_same_folder(tmp_path_factory, number):
    folder = shared_folder(tmp_path_factory, "slow", fill)
    assert (folder / "content").read_text() == "complete"
    time.sleep(0.2)
"""


def test_one_process_fills_a_folder_and_all_wait_for_it(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE.format(log=str(tmp_path / "log")))
    options = ["-q", "-n", "2", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c", "/dev/null"]
    command = [sys.executable, "-m", "pytest", *options, f"--basetemp={tmp_path / 'base'}", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "log").read_text() == "filled\n"


def test_a_folder_that_could_not_be_filled_is_filled_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        shared_folder(tmp_path_factory, "broken", fail)
    folder = shared_folder(tmp_path_factory, "broken", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
