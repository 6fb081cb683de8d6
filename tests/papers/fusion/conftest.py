"""A corpus without sound: tracks that tell the class, words that tell the script, scripts that may tell the class."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.utterance import Utterance
from overtone_papers.fusion.data import LABELS, Data

WIDTH = 12


def corpus_of(*, speakers: int = 4, scripts: int = 8, per_script: int = 2, fixed: bool = True) -> list[Utterance]:
    """Return every speaker with every script: in all classes where they are `fixed`, else each in one class."""
    made = []
    for speaker in range(speakers):
        for script in range(scripts):
            for clip in range(per_script):
                labels = LABELS if fixed else (LABELS[script % len(LABELS)],)
                for label in labels:
                    made.append(
                        Utterance(
                            id=f"{speaker}/{script}-{label}-{clip}.wav",
                            path=Path("none"),
                            corpus="made",
                            label=label,
                            speaker=f"spk{speaker}",
                            gender="female" if speaker % 2 else "male",
                            sentence=f"s{script}",
                            text=f"these are the words of script {script}",
                        )
                    )
    return made


def data_of(given: list[Utterance], *, heard: float = 2.0, frames: int = 20) -> Data:
    """Return tracks of which one column tells the class by `heard` deviations, and vectors that tell the script."""
    rng = np.random.default_rng(0)
    y = np.array([LABELS.index(str(u.label)) for u in given], np.int64)
    tracks, tokens = [], []
    words = {script: rng.normal(size=(3, WIDTH)) for script in sorted({str(u.sentence) for u in given})}
    for utterance, label in zip(given, y, strict=True):
        track = rng.normal(size=(int(rng.integers(frames // 2, frames + 1)), 36))
        track[:, label] += heard
        tracks.append((5 + 3 * track).astype(np.float32))
        tokens.append(words[str(utterance.sentence)].astype(np.float32))
    return Data(
        name="made",
        utterances=tuple(given),
        tracks=tuple(tracks),
        tokens={"encoder": tuple(tokens)},
        y=y,
        features={"name": "acoustic", "sample_rate_hz": 16_000},
        digest="0" * 64,
    )


@pytest.fixture
def utterances() -> Callable[..., list[Utterance]]:
    """Return the function that makes utterances."""
    return corpus_of


@pytest.fixture
def made_data() -> Callable[..., Data]:
    """Return the function that makes their tracks and vectors."""
    return data_of
