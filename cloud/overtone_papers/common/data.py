"""What networks learn from: utterances with features and classes, the rows of a fold, and their scaling."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.splits import Fold
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_models.front_end import F32

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class InnerFold(Fold):
    """A fold whose `inner` utterances decide when a training ends; they neither train nor test."""

    inner: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Utterances with their features `(n, ...)` and class numbers `(n,)`, the places of their labels in `labels`."""

    utterances: tuple[Utterance, ...]
    x: F32
    y: Rows
    labels: tuple[str, ...]

    def rows(self, ids: Iterable[str]) -> Rows:
        """Return the places of these utterances, in the order of `ids`."""
        return rows_of(self.utterances, ids)


def rows_of(utterances: Sequence[Utterance], ids: Iterable[str]) -> Rows:
    """Return the places of the utterances with these ids, in their order; ids that are not there are passed over."""
    places = {u.id: place for place, u in enumerate(utterances)}
    return np.array([places[i] for i in ids if i in places], np.int64)


def classes_of(utterances: Sequence[Utterance], labels: Sequence[str]) -> Rows:
    """Return the class number of each utterance's label."""
    return np.array([labels.index(str(u.label)) for u in utterances], np.int64)


def pooled(readings: Mapping[str, Reading], labels: Sequence[str]) -> tuple[Utterance, ...]:
    """Return all corpora's utterances with one of `labels`; ids and speakers become `corpus/name`.

    `corpus` is then the name that the study gives the corpus: two corpora may call their speakers and files alike.
    """
    return tuple(
        replace(u, id=f"{name}/{u.id}", corpus=name, speaker=None if u.speaker is None else f"{name}/{u.speaker}")
        for name, reading in readings.items()
        for u in reading.labelled
        if u.label in labels
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaler:
    """Mean and deviation of one input of a network, broadcast against its rows."""

    mean: F32
    std: F32

    def __call__(self, x: F32) -> F32:
        """Return `x` less the mean over the deviation."""
        scaled: F32 = ((x - self.mean) / self.std).astype(np.float32)
        return scaled

    @classmethod
    def fit(
        cls, x: F32, axes: tuple[int, ...] = (0,), *, floor: float = 1e-6, below: float | None = None, dtype: Any = None
    ) -> "Scaler":
        """Return the scaler of training rows `(n, ...)` over `axes`, which include the first.

        A deviation under `floor` becomes `below` (default: `floor`); `dtype` is that of the sums.
        """
        mean, std = (measure(axes, dtype=dtype, keepdims=True)[0] for measure in (x.mean, x.std))
        sound = np.where(std < floor, floor if below is None else below, std)
        return cls(mean=mean.astype(np.float32), std=sound.astype(np.float32))

    @classmethod
    def none(cls, shape: Sequence[int]) -> "Scaler":
        """Return the scaler that changes nothing."""
        return cls(mean=np.zeros(shape, np.float32), std=np.ones(shape, np.float32))
