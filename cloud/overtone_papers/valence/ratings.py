"""Ratings of valence and activation in 1..5, as distributions over five classes, and the paper's measures of them.

A corpus' own ratings come first; without them a table rates the categories. The table is not measured: it sets the
categories on the circumplex of affect (valence: unpleasant to pleasant, activation: calm to excited) by hand, on the
five-point scale of IEMOCAP's raters: 1 very negative or very calm, 3 neutral, 5 very positive or very excited. Played
more strongly, an emotion moves away from neutral. Surprise lies between neutral and positive, so it is 3.5, and
either answer counts as right.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.front_end import F32
from overtone_papers.common.fitting import scores

LOWEST, HIGHEST = 1.0, 5.0
SLACK = 0.5
"""A few of IEMOCAP's means lie half a point outside its scale; they are taken for its end."""

# category -> (valence, activation) when played weakly, normally, and strongly
TABLE: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "neutral": ((3.0, 2.0), (3.0, 2.0), (3.0, 2.0)),
    "calm": ((3.0, 1.5), (3.0, 1.0), (4.0, 1.0)),
    "happy": ((3.5, 3.0), (4.0, 4.0), (5.0, 5.0)),
    "sad": ((2.5, 2.0), (2.0, 2.0), (1.0, 3.0)),
    "angry": ((2.5, 3.0), (2.0, 4.0), (1.0, 5.0)),
    "fearful": ((2.5, 3.0), (2.0, 4.0), (1.0, 5.0)),
    "disgust": ((2.5, 2.5), (2.0, 3.0), (1.0, 4.0)),
    "surprised": ((3.5, 3.0), (3.5, 4.0), (3.5, 5.0)),
    "bored": ((2.5, 1.5), (2.0, 1.0), (2.0, 1.0)),
    "frustrated": ((2.5, 2.5), (2.0, 3.0), (1.0, 4.0)),
}

# What the corpora call an intensity -> the column of TABLE; where a corpus says nothing it is the second.
INTENSITIES = {"low": 0, "weak": 0, "normal": 1, "medium": 1, "strong": 2, "high": 2}

# (corpus, its own label) -> (valence, activation), where the project's label says less than the corpus'
OWN = {("tess", "ps"): (4.0, 4.0)}
"""TESS plays a *pleasant* surprise."""

CLASSES = 5
NAMES = ("very negative", "negative", "neutral", "positive", "very positive")
POOLED_NAMES = ("negative", "neutral", "positive")
POOL = np.array([0, 0, 1, 2, 2])
"""The class of three that each class of five belongs to."""

Bools = NDArray[np.bool_]
Classes = NDArray[np.int64]
F64 = NDArray[np.float64]


def dimensions(utterance: Utterance) -> tuple[float, float] | None:
    """Return (valence, activation) in 1..5, or None where there is neither a rating nor a category.

    Raise CorpusError for a rating on another scale.
    """
    if utterance.valence is not None and utterance.activation is not None:
        return _rated(utterance, "valence", utterance.valence), _rated(utterance, "activation", utterance.activation)
    own = OWN.get((utterance.corpus, (utterance.corpus_label or "").lower()))
    if own is not None:
        return own
    if utterance.label is None:
        return None
    return TABLE[utterance.label][INTENSITIES.get((utterance.intensity or "").lower(), 1)]


def is_rated(utterance: Utterance) -> bool:
    """Return whether the corpus itself gives both dimensions."""
    return utterance.valence is not None and utterance.activation is not None


def _rated(utterance: Utterance, name: str, value: float) -> float:
    if not LOWEST - SLACK <= value <= HIGHEST + SLACK:
        raise CorpusError(
            f"{utterance.id}: {name} is {value:g}, limits are {LOWEST:g} and {HIGHEST:g}; "
            "without its valence and activation columns the corpus is taken by category"
        )
    return min(max(value, LOWEST), HIGHEST)


def soft(ratings: F64) -> F32:
    """Return `(n, 5)` distributions of `(n,)` ratings in 1..5: 4.5 gives [0, 0, 0, .5, .5], 4.25 gives .75 and .25."""
    places = np.asarray(ratings, np.float64) - 1.0
    below = np.clip(np.floor(places), 0, CLASSES - 2).astype(np.int64)
    share = np.clip(places - below, 0.0, 1.0)
    rows = np.arange(len(places))
    result = np.zeros((len(places), CLASSES), np.float32)
    result[rows, below] = 1.0 - share
    result[rows, below + 1] += share
    return result


def accepted(labels: F32) -> Bools:
    """Return `(n, 5)`, true where a class has the largest share; two where the raters were split evenly."""
    result: Bools = labels >= labels.max(1, keepdims=True) - 1e-6
    return result


def pooled(right: Bools) -> Bools:
    """Return `(n, 3)` of `(n, 5)`: negative, neutral and positive answers that count as right."""
    return np.stack([right[:, np.equal(POOL, k)].any(1) for k in range(len(POOLED_NAMES))], 1)


def counted_as(right: Bools, answers: Classes) -> Classes:
    """Return the class each sample is counted under: its answer where that is right, else the nearest right one.

    Of two right ones at one distance the lower is taken.
    """
    distance = np.abs(np.arange(right.shape[1])[None] - answers[:, None]).astype(np.float64)
    result: Classes = np.where(right, distance, np.inf).argmin(1).astype(np.int64)
    return result


def expected(probabilities: F32) -> F64:
    """Return the `(n,)` ratings in 1..5 that `(n, 5)` distributions mean."""
    result: F64 = probabilities.astype(np.float64) @ np.arange(1.0, CLASSES + 1.0)
    return result


def oversampled(labels: F32, generator: np.random.Generator) -> Classes:
    """Return the rows of one epoch, shuffled: every sample once, and the rarer classes repeated until all are even.

    A sample between two classes belongs to one of them at random.
    """
    right = accepted(labels)
    classes = np.where(right, generator.random(right.shape), -1.0).argmax(1)
    counts = np.bincount(classes, minlength=labels.shape[1])
    rows = [np.arange(len(labels))]
    for k in np.flatnonzero(counts):
        members, lacking = np.flatnonzero(classes == k), int(counts.max() - counts[k])
        whole, rest = divmod(lacking, len(members))
        rows += [np.tile(members, whole), generator.choice(members, rest, replace=False)]
    result: Classes = generator.permutation(np.concatenate(rows)).astype(np.int64)
    return result


def measure(probabilities: F32, ratings: NDArray[np.float64]) -> dict[str, Any]:
    """Return the figures of `(n, 5)` probabilities against `(n,)` ratings in 1..5, as JSON; accuracies are 0..1."""
    right = accepted(soft(ratings))
    answers = probabilities.argmax(1)
    five = scores(answers, counted_as(right, answers), NAMES)
    three = scores(POOL[answers], counted_as(pooled(right), POOL[answers]), POOLED_NAMES)
    return {
        "acc5": five["uar"],
        "acc3": three["uar"],
        "rho": round(pearson(expected(probabilities), ratings), 6),
        "n": len(ratings),
        "accuracy": five["accuracy"],
        "per_class": five["per_class"],
        "confusion": five["confusion"],
        "confusion3": three["confusion"],
        "chance5": _chance(five["confusion"]),
        "chance3": _chance(three["confusion"]),
    }


def pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Pearson's correlation; 0 where one of the two never changes, as there is none to speak of."""
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-9 * len(x) else 0.0


def _chance(confusion: Sequence[Sequence[int]]) -> float:
    """Return what one answer for everything scores: one over the classes that occur."""
    return round(1.0 / max(1, int((np.array(confusion).sum(1) > 0).sum())), 6)
