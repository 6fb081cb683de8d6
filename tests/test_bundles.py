"""The committed bundles are what conversion gives, the check sees what is not, and device tests need no TensorFlow."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bundles import FILE, committed_bundles, differences, write

from overtone_models.bundle import read_bundle

REPOSITORY = Path(__file__).resolve().parents[1]
WITHOUT_TENSORFLOW = """
import sys
sys.modules.update(dict.fromkeys(("tensorflow", "keras", "librosa", "overtone_cloud", "overtone_models.networks")))
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=280, check=False)


def test_committed_bundles_are_what_conversion_gives() -> None:
    done = python("-m", "tests.bundles", "--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_file_is_small_and_written_as_it_is_read(tmp_path: Path) -> None:
    assert FILE.stat().st_size < 150_000
    write(committed_bundles(), tmp_path / "again.tar.xz")
    assert committed_bundles(tmp_path / "again.tar.xz") == committed_bundles()


def test_the_check_sees_changed_missing_and_strange_bundles() -> None:
    stored = committed_bundles()
    tiny = read_bundle(stored["tiny-1"])
    shifted = replace(tiny, golden_probabilities=tiny.golden_probabilities + 0.01, training_model=b"other")
    changed = {
        **stored,
        "tiny-1": shifted.to_bytes(),
        "tiny-2": replace(read_bundle(stored["tiny-2"]), weights=tiny.weights).to_bytes(),
        "tiny-3": replace(tiny, manifest=replace(tiny.manifest, version=3)).to_bytes(),
        "lstm": replace(read_bundle(stored["lstm"]), streaming_model=b"rounded differently").to_bytes(),
        "more": b"",
    }
    del changed["text"]
    same_network = "the bytes differ, though the network that listens is the same"
    assert list(differences(stored, changed)) == [
        "more: only in the code",
        "text: only in the file",
        f"tiny-1: {same_network}",
        "tiny-1: the training graph differs",
        "tiny-1: golden_probabilities differ by more than 0.001",
        f"tiny-2: {same_network}",
        "tiny-2: weights differ",
        "tiny-3: weights differ",
        "tiny-3: golden_probabilities differ by more than 0.001",
    ]
    named = {"tiny-1": replace(tiny, manifest=replace(tiny.manifest, name="other")).to_bytes()}
    assert list(differences({"tiny-1": stored["tiny-1"]}, named)) == [
        "tiny-1.name: file 'tiny', code 'other'",
        f"tiny-1: {same_network}",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("--collect-only", "tests/edge"),
        ("tests/edge/hearing/test_window.py", "tests/edge/hearing/test_streaming.py"),
    ],
    ids=["imports", "hearing"],
)
def test_device_tests_need_no_tensorflow(words: tuple[str, ...]) -> None:
    done = python("-c", WITHOUT_TENSORFLOW, "-q", "-x", "-p", "no:cacheprovider", *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
