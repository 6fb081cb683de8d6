"""The corpora of system E as one pool with seven classes: features, scaling, and the two ways to divide it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.splits import MIN_SPEAKERS_FOR_INNER, at_random, by_corpus, by_speaker, inner_speakers
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.features.log_mel import LogMelSpec
from overtone_models.features.means import MeanVectorSpec
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32
from overtone_papers.common.data import InnerFold, Rows, Scaler, classes_of, pooled, rows_of
from overtone_papers.common.study import Study

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
LOG_MEL, MEANS = "log-mel", "mean-vector"
SPECS: Mapping[str, Feature] = {LOG_MEL: LogMelSpec(), MEANS: MeanVectorSpec()}
MIN_STD = 1e-3
"""Cells after the end of every recording hardly vary; they are only centred."""
FOLDS, INNER_FOLDS = 5, 8
QUICK_INNER, QUICK_TEST = 28, 70
SPLITS = {
    "random": "random 80/20, stratified by class, speakers shared",
    "speaker": "by speaker, test speakers unseen (a fifth of each corpus' speakers; of two speakers one)",
}


def pool_of(readings: Mapping[str, Reading], calm: str) -> tuple[Utterance, ...]:
    """Return the utterances with one of the seven labels, corpora sorted; calm is dropped or merged into neutral."""
    pool = pooled(dict(sorted(readings.items())), (*LABELS, "calm") if calm == "merge" else LABELS)
    return tuple(replace(u, label="neutral") if u.label == "calm" else u for u in pool)


@dataclass(frozen=True, eq=False)
class Pool:
    """Utterances of all corpora with classes and origins `(n,)`; features are extracted on first use."""

    study: Study
    utterances: tuple[Utterance, ...]
    y: Rows
    origins: NDArray[np.str_]
    _features: dict[str, F32] = field(default_factory=dict)

    @classmethod
    def gather(cls, study: Study, calm: str) -> "Pool":
        """Return the pool of readable utterances; raise CorpusError where a class is missing altogether."""
        utterances, _ = study.extract(pool_of(study.readings, calm), SPECS[MEANS])
        absent = sorted(set(LABELS) - {str(u.label) for u in utterances})
        if absent:
            raise CorpusError(f"no utterance that can be read is labelled {', '.join(absent)}: add a corpus with it")
        return cls(study, utterances, classes_of(utterances, LABELS), np.array([u.corpus for u in utterances]))

    def feature(self, name: str) -> F32:
        """Return `(n, 128, 251, 1)` log-mels or `(n, 180, 1)` means, unscaled."""
        if name not in self._features:
            _, arrays = self.study.extract(self.utterances, SPECS[name])
            self._features[name] = np.stack(arrays)[..., None].astype(np.float32)
        return self._features[name]

    def rows(self, ids: Sequence[str]) -> Rows:
        """Return the rows of these utterances."""
        return rows_of(self.utterances, ids)


def fit_scaler(x: F32, kind: str) -> Scaler:
    """Return the scaler of training inputs `(n, ...)`: `none`, `cell`, or `row` (all frames of a mel band alike)."""
    if kind == "none":
        return Scaler.none((1,) * (x.ndim - 1))
    axes = (0, 2) if kind == "row" and x.ndim == 4 else (0,)
    return Scaler.fit(x, axes, floor=MIN_STD, below=1.0, dtype=np.float64)


def divide(utterances: Sequence[Utterance], kind: str, *, seed: int, quick: bool = False) -> InnerFold:
    """Return utterances to train on, for early stopping and ensemble weights (inner), and to report on (test).

    With `quick`, inner and test are random samples of those, the same for all networks.
    """
    tested = _random(utterances, FOLDS, seed) if kind == "random" else _speaker_test(utterances, seed)
    rest = [u for u in utterances if u.id not in tested]
    inner = _random(rest, INNER_FOLDS, seed + 1) if kind == "random" else _speaker_inner(rest, seed)
    parts = {
        "train": [u for u in rest if u.id not in inner],
        "inner": [u for u in rest if u.id in inner],
        "test": [u for u in utterances if u.id in tested],
    }
    sizes = {"inner": QUICK_INNER, "test": QUICK_TEST} if quick else {}
    return InnerFold(name=kind, **{part: thinned(own, sizes.get(part), seed) for part, own in parts.items()})


def thinned(utterances: Sequence[Utterance], count: int | None, seed: int) -> tuple[str, ...]:
    """Return the ids of at most about `count` utterances (None: all), the classes' shares kept and none lost."""
    if count is None or len(utterances) <= count:
        return tuple(u.id for u in utterances)
    generator = np.random.default_rng(seed)
    sample: set[str] = set()
    for label in sorted({str(u.label) for u in utterances}):
        own = [u.id for u in utterances if u.label == label]
        share = max(1, round(count * len(own) / len(utterances)))
        sample |= {own[place] for place in generator.permutation(len(own))[:share]}
    return tuple(u.id for u in utterances if u.id in sample)


def _random(utterances: Sequence[Utterance], folds: int, seed: int) -> set[str]:
    return set(at_random(utterances, folds=folds, seed=seed).folds[0].test)


def _speaker_test(utterances: Sequence[Utterance], seed: int) -> set[str]:
    """Return the test ids: in each corpus the speakers of fold `seed`, which differ from seed to seed."""
    tested: set[str] = set()
    for own in by_corpus(utterances).values():
        folds = min(FOLDS, len({u.speaker for u in own}))
        tested |= set(by_speaker(own, folds=folds).folds[seed % folds].test)
    return tested


def _speaker_inner(rest: Sequence[Utterance], seed: int) -> set[str]:
    """Return inner ids: whole speakers where a corpus has enough of them left, else random utterances."""
    inner: set[str] = set()
    for own in by_corpus(rest).values():
        if len({u.speaker for u in own}) < MIN_SPEAKERS_FOR_INNER:
            inner |= _random(own, INNER_FOLDS, seed + 1)
        else:
            speakers = inner_speakers(own, fraction=1 / INNER_FOLDS, seed=seed)
            inner |= {u.id for u in own if u.speaker in speakers}
    return inner
