"""Options of system C, a corpus as its network reads it, and the three ways to hold a fifth of it back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from overtone_cloud.corpora import splits
from overtone_cloud.corpora.splits import Fold
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.features.means import MeanMfccSpec
from overtone_models.labels import ordered
from overtone_papers.common.data import Examples, classes_of
from overtone_papers.common.options import quick_constant, whole, word, words
from overtone_papers.common.study import Study

KINDS = ("random", "tail", "speaker")
HELD_BACK = 0.2
MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of system C."""

    epochs: int = whole(50, "epochs of a training", quick=12)
    batch: int = whole(64, "utterances in a batch")
    scale: str = word(
        "none",
        "none as in the paper, or standard: mean 0 and deviation 1 over the training part",
        ("none", "standard"),
    )
    folds: int = whole(3, "speaker folds of corpora with more speakers than that", 2)
    splits: tuple[str, ...] = words(KINDS, "which of random, tail, speaker", KINDS)
    tested_folds: int | None = quick_constant(None, 2)
    """Of each kind of split only so many folds are trained; None for all."""


def read(study: Study, name: str, reading: Reading) -> Examples:
    """Return a corpus' `(n, 40, 1)` mean MFCC; the log names utterances that cannot be read."""
    utterances, features = study.extract(reading.labelled, MeanMfccSpec())
    labels = ordered({str(u.label) for u in utterances})
    if len(labels) < 2:
        raise CorpusError(
            f"corpus {name}: {len(utterances)} of {len(reading.labelled)} utterances can be used, with too few emotions"
        )
    x = np.stack(features)[:, :, None].astype(np.float32)
    return Examples(utterances=utterances, x=x, y=classes_of(utterances, labels), labels=labels)


def divide(utterances: Sequence[Utterance], kind: str, *, folds: int, seed: int) -> tuple[Fold, ...]:
    """Return the folds of one kind of split: one for `random` and `tail`, several for `speaker`.

    Where there are no more speakers than `folds`, each is tested once by those trained on the others.
    """
    if kind == "tail":
        return (_tail(utterances),)
    if kind == "random":
        first = splits.at_random(utterances, folds=round(1 / HELD_BACK), seed=seed).folds[0]
        return (replace(first, name="random"),)
    speakers = {u.speaker for u in utterances if u.speaker is not None}
    if len(speakers) < 2:
        raise CorpusError(
            f"corpus {utterances[0].corpus} names {len(speakers)} speaker(s), testing unheard speakers needs 2; "
            "--option splits=random,tail leaves that split out"
        )
    if len(speakers) <= folds:
        return splits.leave_one_speaker_out(utterances).folds
    return splits.by_speaker(utterances, folds=folds).folds


def _tail(utterances: Sequence[Utterance]) -> Fold:
    """Return what Keras' `validation_split=0.2` does to files in the order of their sorted folders."""
    ids = sorted(u.id for u in utterances)
    cut = int(len(ids) * (1.0 - HELD_BACK))
    return Fold(name="tail", train=tuple(ids[:cut]), test=tuple(ids[cut:]))


def known_pairs(utterances: Sequence[Utterance], fold: Fold) -> float:
    """Return the share of the held-back utterances whose speaker says the same emotion in training."""
    pairs = {u.id: (u.speaker, u.label) for u in utterances}
    trained = {pairs[i] for i in fold.train}
    return float(np.mean([pairs[i] in trained for i in fold.test]))


def describe(utterances: Sequence[Utterance], fold: Fold) -> str:
    """Return who is held back; speaker and emotion with counts where some emotions are not held back at all."""
    pairs = {u.id: (str(u.speaker), str(u.label)) for u in utterances}
    held = Counter(pairs[i] for i in fold.test)
    emotions = {label for _, label in held}
    if emotions != {label for _, label in pairs.values()} and len(held) <= MOST_NAMED:
        return ", ".join(f"{speaker} {label} ({count})" for (speaker, label), count in sorted(held.items()))
    speakers = sorted({speaker for speaker, _ in held})
    shown = ", ".join(speakers) if len(speakers) <= MOST_NAMED else f"{len(speakers)} speakers"
    return f"{shown}: {len(emotions)} emotions"
