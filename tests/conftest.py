"""Fixtures that every package's tests share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.support.corpus_fixtures"]
REPOSITORY = Path(__file__).resolve().parents[1]
LONGEST = "system/test_demo.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest: at the end one worker would wait for it."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """Return the folder of real recordings: OVERTONE_DATA, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("OVERTONE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "ravdess").is_dir():
        pytest.skip(f"no real recordings in {folder}; set OVERTONE_DATA")
    return folder


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """Let children be interrupted: a shell's background jobs ignore SIGINT, and what they start inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
