"""Fixtures that every package's tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """Return the folder of real recordings: OVERTONE_DATA, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("OVERTONE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "ravdess").is_dir():
        pytest.skip(f"no real recordings in {folder}; set OVERTONE_DATA")
    return folder
