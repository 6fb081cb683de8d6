"""The corpora of system E as one pool with seven classes, its features, and their standard scaler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.training.metrics import Targets
from overtone_models.features.log_mel import LogMelSpec
from overtone_models.features.means import MeanVectorSpec
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32
from overtone_papers.common.study import Study
from overtone_papers.ensembles.recipes import LOG_MEL, MEANS

Rows = NDArray[np.int64]
LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
SPECS: Mapping[str, Feature] = {LOG_MEL: LogMelSpec(), MEANS: MeanVectorSpec()}
MIN_STD = 1e-3
"""Cells behind the end of every recording hardly vary; they are only centred."""


def pooled(readings: Mapping[str, Reading], calm: str) -> tuple[Utterance, ...]:
    """Return the utterances with one of the seven labels, sorted; ids and speakers carry their corpus' name."""
    found = []
    for name, reading in sorted(readings.items()):
        for utterance in reading.labelled:
            label = "neutral" if utterance.label == "calm" and calm == "merge" else utterance.label
            if label in LABELS:
                speaker = f"{name}:{utterance.speaker}" if utterance.speaker is not None else None
                found.append(replace(utterance, id=f"{name}/{utterance.id}", corpus=name, label=label, speaker=speaker))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Material:
    """Utterances of all corpora with their classes; features are extracted when first asked for."""

    study: Study
    utterances: tuple[Utterance, ...]

    @cached_property
    def y(self) -> Targets:
        """The place of each utterance's label in `LABELS`."""
        return np.array([LABELS.index(str(u.label)) for u in self.utterances])

    @cached_property
    def origins(self) -> NDArray[np.str_]:
        """The corpus of each utterance."""
        return np.array([u.corpus for u in self.utterances])

    @cached_property
    def _features(self) -> dict[str, F32]:
        return {}

    def feature(self, name: str) -> F32:
        """Return `(n, 128, 251, 1)` log-mels or `(n, 180, 1)` means, raw."""
        if name not in self._features:
            found = [x for x in _extracted(self.study, self.utterances, SPECS[name]) if x is not None]
            self._features[name] = np.stack(found)[..., None].astype(np.float32)
        return self._features[name]

    def inputs(self, names: Sequence[str], rows: Rows) -> list[F32]:
        """Return the raw inputs of some rows."""
        return [self.feature(name)[rows] for name in names]


def gather(study: Study, calm: str) -> Material:
    """Return the pool without what cannot be read; raise CorpusError where a class is missing altogether."""
    utterances = pooled(study.readings, calm)
    found = _extracted(study, utterances, SPECS[MEANS])
    kept = tuple(u for u, x in zip(utterances, found, strict=True) if x is not None)
    absent = set(LABELS) - {str(u.label) for u in kept}
    if absent:
        raise CorpusError(
            f"no utterance that can be read is labelled {', '.join(sorted(absent))}: add a corpus with it"
        )
    return Material(study, kept)


def _extracted(study: Study, utterances: Sequence[Utterance], spec: Feature) -> list[F32 | None]:
    from overtone_cloud.features.extraction import extract

    return extract(utterances, spec, cache=study.cache, jobs=study.jobs, ray=study.ray, log=study.log)


@dataclass(frozen=True, eq=False)
class Scaler:
    """Mean and deviation of one input, broadcast against it."""

    mean: F32
    std: F32

    def __call__(self, x: F32) -> F32:
        """Return `x` less the mean over the deviation."""
        result: F32 = (x - self.mean) / self.std
        return result


def fit_scaler(x: F32, kind: str) -> Scaler:
    """Return the scaler of training inputs `(n, ...)`: `none`, `cell`, or `row` (all frames of a mel band alike)."""
    shape = x.shape[1:]
    if kind == "none":
        return Scaler(np.zeros((1,) * len(shape), np.float32), np.ones((1,) * len(shape), np.float32))
    axes = (0, 2) if kind == "row" and len(shape) == 3 else (0,)
    mean = x.mean(axes, dtype=np.float64, keepdims=True)[0]
    std = x.std(axes, dtype=np.float64, keepdims=True)[0]
    return Scaler(mean.astype(np.float32), np.where(std < MIN_STD, 1.0, std).astype(np.float32))
