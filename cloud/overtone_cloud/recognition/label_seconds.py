"""Measure: seconds per label while a device listens to silence, everyday sounds and neutral read speech."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora import audio
from overtone_cloud.recognition.subject import Subject
from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.front_end import F32

SILENCE_S = 20
SILENCES_DBFS = (None, -80.0, -65.0, -50.0)
HUM_HZ, HUM_DBFS = 50.0, -40.0
SPEECH_S = 10.0


@dataclass(frozen=True, kw_only=True)
class LabelSeconds:
    """Seconds listened to, and in how many of them each label was in force; a second may have several or none."""

    seconds: int
    undecided: int
    labels: dict[str, int]
    recordings: int
    ends: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the counts; `ends` are the decisions at the end of each recording's longest utterance."""
        return dict(vars(self))


def count_label_seconds(subject: Subject, recordings: Iterable[F32]) -> LabelSeconds:
    """Return the counts for a device with default settings that listens to recordings at 16 kHz."""
    from overtone_converters.device import Device

    device = Device(subject.bundle)
    labels: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    seconds = undecided = number = 0
    for samples in recordings:
        listened = device.listen(samples)
        number += 1
        seconds += len(listened.windows)
        undecided += sum(1 for window in listened.windows if not window)
        labels.update(label for window in listened.windows for label in window)
        ends.update([listened.decision or "no decision"])
    return LabelSeconds(
        seconds=seconds,
        undecided=undecided,
        labels=dict(sorted(labels.items())),
        recordings=number,
        ends=dict(sorted(ends.items())),
    )


def silences() -> Iterator[F32]:
    """Yield silence as microphones have it: digital silence, hiss at three levels, and mains hum."""
    rng = np.random.default_rng(0)
    size = SILENCE_S * SAMPLE_RATE_HZ
    for level in SILENCES_DBFS:
        rms = 0.0 if level is None else 10.0 ** (level / 20.0)
        yield (rms * rng.normal(size=size)).astype(np.float32)
    t = np.arange(size) / SAMPLE_RATE_HZ
    yield (10.0 ** (HUM_DBFS / 20.0) * np.sin(2 * np.pi * HUM_HZ * t)).astype(np.float32)


def recordings(paths: Sequence[Path], *, max_s: float | None = None) -> Iterator[F32]:
    """Yield recordings at 16 kHz, each cut to `max_s` seconds."""
    for path in paths:
        samples = audio.load(path)
        yield samples if max_s is None else samples[: round(max_s * SAMPLE_RATE_HZ)]
