"""Counts and durations of a corpus, by label and by speaker."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from overtone_cloud.corpora.check import Inspection
from overtone_cloud.corpora.utterance import Utterance
from overtone_models.labels import EMOTIONS


@dataclass(frozen=True, kw_only=True)
class Row:
    """Counts and durations of the utterances of one label or speaker, or of all."""

    name: str
    utterances: int
    labels: dict[str, int]
    total_s: float
    shortest_s: float
    median_s: float
    longest_s: float


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """A corpus in numbers; `labels` are those that occur, in the project's order, `none` last."""

    corpus: str
    labels: tuple[str, ...]
    by_label: tuple[Row, ...]
    by_speaker: tuple[Row, ...]
    total: Row


def statistics(inspection: Inspection) -> Statistics:
    """Return counts and durations of the readable utterances."""
    utterances = inspection.reading.utterances
    present = {u.label or "none" for u in utterances}
    labels = tuple(label for label in (*EMOTIONS, "none") if label in present)
    speakers = sorted({u.speaker or "unknown" for u in utterances})

    def row(name: str, chosen: Iterable[Utterance]) -> Row:
        return _row(name, list(chosen), labels, inspection.durations_s)

    return Statistics(
        corpus=inspection.reading.corpus,
        labels=labels,
        by_label=tuple(row(x, (u for u in utterances if (u.label or "none") == x)) for x in labels),
        by_speaker=tuple(row(x, (u for u in utterances if (u.speaker or "unknown") == x)) for x in speakers),
        total=row("all", utterances),
    )


def _row(name: str, utterances: list[Utterance], labels: tuple[str, ...], durations_s: dict[str, float]) -> Row:
    seconds = np.array([durations_s[u.id] for u in utterances] or [0.0])
    return Row(
        name=name,
        utterances=len(utterances),
        labels={label: sum(1 for u in utterances if (u.label or "none") == label) for label in labels},
        total_s=float(seconds.sum()),
        shortest_s=float(seconds.min()),
        median_s=float(np.median(seconds)),
        longest_s=float(seconds.max()),
    )
