"""Training, inner and test rows of the pool: at random as in the paper, and by speaker beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from overtone_cloud.corpora.splits import at_random, by_speaker, inner_speakers
from overtone_cloud.corpora.utterance import Utterance
from overtone_papers.ensembles.material import Rows

FOLDS, INNER_FOLDS = 5, 8
INNER_FRACTION = 1 / INNER_FOLDS
ENOUGH_SPEAKERS = 4
QUICK_INNER, QUICK_TEST = 28, 70

DESCRIPTIONS = {
    "random": "random 80/20, stratified by class, speakers shared",
    "speaker": "by speaker, test speakers unseen (a fifth of each corpus' speakers; of two speakers one)",
}


@dataclass(frozen=True, eq=False)
class Division:
    """Rows to train on, to stop the training and weigh ensembles by (inner), and to report on (test)."""

    kind: str
    train: Rows
    inner: Rows
    test: Rows


def divide(utterances: Sequence[Utterance], kind: str, *, seed: int, quick: bool = False) -> Division:
    """Return the division of a kind; with `quick` inner and test rows are drawn from, alike for all networks."""
    test = _random_test(utterances, seed) if kind == "random" else _speaker_test(utterances, seed)
    rest = [u for u in utterances if u.id not in test]
    inner = _random_inner(rest, seed) if kind == "random" else _speaker_inner(rest, seed)
    places = {u.id: row for row, u in enumerate(utterances)}
    rows = {
        "train": np.array([places[u.id] for u in rest if u.id not in inner]),
        "inner": np.array(sorted(places[i] for i in inner)),
        "test": np.array(sorted(places[i] for i in test)),
    }
    division = Division(kind, **rows)
    if not quick:
        return division
    labels = [str(u.label) for u in utterances]
    return replace(
        division,
        inner=thinned(division.inner, labels, QUICK_INNER, seed),
        test=thinned(division.test, labels, QUICK_TEST, seed),
    )


def thinned(rows: Rows, labels: Sequence[str], count: int, seed: int) -> Rows:
    """Return at most about `count` of the rows, the classes' shares kept and none lost."""
    if len(rows) <= count:
        return rows
    generator = np.random.default_rng(seed)
    kept: list[int] = []
    for label in sorted({labels[row] for row in rows}):
        own = [int(row) for row in rows if labels[row] == label]
        kept.extend(generator.permutation(own)[: max(1, round(count * len(own) / len(rows)))].tolist())
    return np.array(sorted(kept))


def _random_test(utterances: Sequence[Utterance], seed: int) -> set[str]:
    return set(at_random(utterances, folds=FOLDS, seed=seed).folds[0].test)


def _random_inner(rest: Sequence[Utterance], seed: int) -> set[str]:
    return set(at_random(rest, folds=INNER_FOLDS, seed=seed + 1).folds[0].test)


def _speaker_test(utterances: Sequence[Utterance], seed: int) -> set[str]:
    """Return the test ids: in each corpus the speakers of fold `seed`, which differ from seed to seed."""
    tested: set[str] = set()
    for own in _by_corpus(utterances):
        folds = min(FOLDS, len({u.speaker for u in own}))
        tested |= set(by_speaker(own, folds=folds).folds[seed % folds].test)
    return tested


def _speaker_inner(rest: Sequence[Utterance], seed: int) -> set[str]:
    """Return inner ids: whole speakers where a corpus has enough of them left, else random utterances."""
    chosen: set[str] = set()
    for own in _by_corpus(rest):
        if len({u.speaker for u in own}) < ENOUGH_SPEAKERS:
            chosen |= _random_inner(own, seed)
        else:
            speakers = inner_speakers(own, fraction=INNER_FRACTION, seed=seed)
            chosen |= {u.id for u in own if u.speaker in speakers}
    return chosen


def _by_corpus(utterances: Sequence[Utterance]) -> list[list[Utterance]]:
    return [[u for u in utterances if u.corpus == name] for name in sorted({u.corpus for u in utterances})]
