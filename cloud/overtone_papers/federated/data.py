"""The four emotions of the corpora as the networks read them, and the splits they are tested on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora import splits
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.front_end import F32
from overtone_papers.common.study import Study
from overtone_papers.federated.settings import Settings

I64 = NDArray[np.int64]

LABELS = ("angry", "happy", "neutral", "sad")
"""The paper's ang, exc, neu, sad; excited counts as happy."""
FOLDS = 5
DEVIATION_FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """All corpora's utterances with one of the four labels: `(n, 100, 34)` raw features, classes, speakers."""

    utterances: tuple[Utterance, ...]
    corpora: tuple[str, ...]
    speakers: tuple[str, ...]
    """With the corpus' name before them: two corpora may number their speakers alike."""
    x: F32
    y: I64


@dataclass(frozen=True, kw_only=True, eq=False)
class Division:
    """Rows that are learned and rows that are tested."""

    kind: str
    train: I64
    test: I64


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """`(1, 34)` mean and deviation of every feature over the training part, padding included."""

    mean: F32
    deviation: F32

    def apply(self, x: F32) -> F32:
        """Return scaled features."""
        result: F32 = ((x - self.mean) / self.deviation).astype(np.float32)
        return result


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError where the corpora together lack one of the four emotions."""
    there = {u.label for reading in readings.values() for u in reading.labelled}
    missing = [label for label in LABELS if label not in there]
    if missing:
        raise CorpusError(
            f"no utterance of {', '.join(readings)} is labelled {' or '.join(missing)}; system A needs "
            f"{', '.join(LABELS)}: add a corpus that has it with --corpus NAME=PATH"
        )


def used(reading: Reading) -> list[Utterance]:
    """Return the utterances with one of the four labels."""
    return [u for u in reading.labelled if u.label in LABELS]


def check_speakers(study: Study, settings: Settings) -> None:
    """Raise CorpusError where a split or part needs speakers that a corpus does not name."""
    for name, reading in study.readings.items():
        found = used(reading)
        speakers = {u.speaker for u in found if u.speaker is not None}
        if "speaker" in settings.splits and (len(speakers) < 2 or any(u.speaker is None for u in found)):
            raise CorpusError(
                f"corpus {name} names {len(speakers)} speaker(s) for its {len(found)} utterances, a split by speaker "
                "needs 2 and a name for each: give --option splits=random"
            )
        if "speakers" in study.parts and any(u.speaker is None for u in found):
            raise CorpusError(f"corpus {name} does not name all speakers: leave out the part speakers with --part")


def read(study: Study, settings: Settings) -> Data:
    """Return the corpora's features; recordings that cannot be read are left out (extraction names them)."""
    from overtone_cloud.features.extraction import extract

    pairs = [(name, u) for name, reading in study.readings.items() for u in used(reading)]
    found = extract(
        [u for _, u in pairs], settings.features, cache=study.cache, jobs=study.jobs, ray=study.ray, log=study.log
    )
    kept = [(name, u, x) for (name, u), x in zip(pairs, found, strict=True) if x is not None]
    counts = {label: sum(u.label == label for _, u, _ in kept) for label in LABELS}
    few = min(counts, key=counts.__getitem__)
    if counts[few] < FOLDS:
        raise CorpusError(f"{counts[few]} readable utterances are {few}, system A needs {FOLDS} of each emotion")
    return Data(
        utterances=tuple(u for _, u, _ in kept),
        corpora=tuple(name for name, _, _ in kept),
        speakers=tuple(f"{name}:{u.speaker or ''}" for name, u, _ in kept),
        x=np.stack([x for _, _, x in kept]).astype(np.float32),
        y=np.array([LABELS.index(str(u.label)) for _, u, _ in kept]),
    )


def divide(data: Data, kind: str, *, seed: int) -> Division:
    """Return a fifth of every corpus for the test: "random" stratified by label, or "speaker" unheard speakers."""
    tested: set[tuple[str, str]] = set()
    for name in sorted(set(data.corpora)):
        own = [u for u, corpus in zip(data.utterances, data.corpora, strict=True) if corpus == name]
        folds = FOLDS if kind == "random" else min(FOLDS, len({u.speaker for u in own}))
        maker = splits.at_random if kind == "random" else splits.by_speaker
        tested |= {(name, test) for test in maker(own, folds=folds, seed=seed).folds[0].test}
    places = [(name, u.id) in tested for name, u in zip(data.corpora, data.utterances, strict=True)]
    return Division(kind=kind, train=np.flatnonzero(~np.array(places)), test=np.flatnonzero(places))


def scaling(x: F32, scale: str) -> Scaling:
    """Return the scaling of training features `(n, windows, 34)`; 0 and 1 where nothing is scaled."""
    shape = (1, x.shape[-1])
    if scale == "none":
        return Scaling(mean=np.zeros(shape, np.float32), deviation=np.ones(shape, np.float32))
    deviation = np.maximum(x.std((0, 1)), DEVIATION_FLOOR)
    return Scaling(mean=x.mean((0, 1)).reshape(shape), deviation=deviation.reshape(shape).astype(np.float32))


def majority(y: I64) -> float:
    """Return the accuracy of always answering the most frequent class."""
    return float(np.bincount(y).max() / len(y))
