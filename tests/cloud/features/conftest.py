"""A folder of recordings: tones, each with its own content."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.corpora.utterance import Utterance

RATE_HZ = 16_000


def utterance(path: Path) -> Utterance:
    return Utterance(id=path.name, path=path, corpus="tones")


def write_tone(path: Path, hertz: float, *, seconds: float = 0.5, rate_hz: int = RATE_HZ) -> Path:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * time), rate_hz)
    return path


@pytest.fixture
def tones(tmp_path: Path) -> list[Utterance]:
    """20 recordings: more than are computed in the test's own process."""
    folder = tmp_path / "tones"
    folder.mkdir()
    return [utterance(write_tone(folder / f"{i:02}.wav", 200.0 + 10 * i)) for i in range(20)]
