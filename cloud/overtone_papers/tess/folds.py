"""The three ways to hold a fifth of TESS back: at random, the tail of the folders, the other speaker."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overtone_cloud.corpora import splits
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.training.metrics import Targets

KINDS = ("random", "tail", "speaker")
HELD_BACK = 0.2
MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Division:
    """Places of the utterances to train on and to validate with."""

    name: str
    train: Targets
    test: Targets


def divide(utterances: Sequence[Utterance], kind: str, *, folds: int, seed: int) -> tuple[Division, ...]:
    """Return the divisions of one kind: one for `random` and `tail`, one a fold for `speaker`.

    Where there are no more speakers than `folds`, each is tested once by those trained on the others.
    """
    if kind == "tail":
        return (_tail(utterances),)
    if kind == "random":
        split = splits.at_random(utterances, folds=round(1 / HELD_BACK), seed=seed)
        return (_division(utterances, split.folds[0].train, split.folds[0].test, "random"),)
    speakers = {u.speaker for u in utterances if u.speaker is not None}
    if len(speakers) < 2:
        raise CorpusError(
            f"corpus {utterances[0].corpus} names {len(speakers)} speaker(s), testing unheard speakers needs 2; "
            "--option splits=random,tail leaves that split out"
        )
    few = len(speakers) <= folds
    split = splits.leave_one_speaker_out(utterances) if few else splits.by_speaker(utterances, folds=folds)
    return tuple(_division(utterances, fold.train, fold.test, fold.name) for fold in split.folds)


def _tail(utterances: Sequence[Utterance]) -> Division:
    """Return what Keras' `validation_split=0.2` does to files in the order of their sorted folders."""
    order = np.array(sorted(range(len(utterances)), key=lambda i: utterances[i].id))
    cut = int(len(order) * (1.0 - HELD_BACK))
    return Division(name="tail", train=order[:cut], test=order[cut:])


def _division(utterances: Sequence[Utterance], train: Sequence[str], test: Sequence[str], name: str) -> Division:
    places = {u.id: i for i, u in enumerate(utterances)}
    return Division(name=name, train=np.array([places[i] for i in train]), test=np.array([places[i] for i in test]))


def heard_before(utterances: Sequence[Utterance], division: Division) -> float:
    """Return the share of the held-back utterances whose speaker says the same emotion in training."""
    trained = {(utterances[i].speaker, utterances[i].label) for i in division.train}
    return float(np.mean([(utterances[i].speaker, utterances[i].label) in trained for i in division.test]))


def describe(utterances: Sequence[Utterance], division: Division) -> str:
    """Return who is held back; speaker and emotion with counts where some emotions are not held back at all."""
    held = Counter((str(utterances[i].speaker), str(utterances[i].label)) for i in division.test)
    emotions = {label for _, label in held}
    if emotions != {str(u.label) for u in utterances} and len(held) <= MOST_NAMED:
        return ", ".join(f"{speaker} {label} ({count})" for (speaker, label), count in sorted(held.items()))
    speakers = sorted({speaker for speaker, _ in held})
    shown = ", ".join(speakers) if len(speakers) <= MOST_NAMED else f"{len(speakers)} speakers"
    return f"{shown}: {len(emotions)} emotions"
