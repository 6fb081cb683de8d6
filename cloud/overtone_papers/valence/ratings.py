"""Ratings of valence and activation in 1..5, as distributions over five classes, and the paper's metrics.

A corpus' own ratings come first; without them those of emotion and intensity (`overtone_models.labels`) stand in, set
by hand and not measured, on the scale of IEMOCAP's raters. Played more strongly, an emotion moves away from neutral.
Surprise lies between neutral and positive, and either answer counts as right.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.front_end import F32
from overtone_models.labels import EMOTIONS, Affect
from overtone_papers.common.scoring import scores

LOWEST, HIGHEST = 1.0, 5.0
SLACK = 0.5
"""A few of IEMOCAP's means lie half a point outside its scale; they count as its end."""

# Corpora's words for an intensity -> emotion played weakly or strongly; normally for all others.
WEAK, STRONG = ("low", "weak"), ("strong", "high")

CLASSES = 5
NAMES = ("very negative", "negative", "neutral", "positive", "very positive")
POOLED_NAMES = ("negative", "neutral", "positive")
POOL = np.array([0, 0, 1, 2, 2])
"""The class of three that each class of five belongs to."""

Bools = NDArray[np.bool_]
Classes = NDArray[np.int64]
F64 = NDArray[np.float64]


def dimensions(utterance: Utterance) -> Affect | None:
    """Return (valence, activation) in 1..5, or None where there is neither a rating nor a category.

    Raise CorpusError for a rating on another scale.
    """
    if is_rated(utterance):
        return Affect(_rated(utterance, "valence"), _rated(utterance, "activation"))
    corpus = CORPORA.get(utterance.corpus)
    own = None if corpus is None else corpus.affect.get((utterance.corpus_label or "").lower())
    if own is not None or utterance.label is None:
        return own  # a corpus' own label may be more specific: TESS plays a *pleasant* surprise
    emotion, intensity = EMOTIONS[utterance.label], (utterance.intensity or "").lower()
    return emotion.weak if intensity in WEAK else emotion.strong if intensity in STRONG else emotion.normal


def is_rated(utterance: Utterance) -> bool:
    """Return whether the corpus itself gives both dimensions."""
    return utterance.valence is not None and utterance.activation is not None


def _rated(utterance: Utterance, name: str) -> float:
    value = float(getattr(utterance, name))
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
    """Return the class that each sample counts under: its answer where that is right, else the nearest right one.

    Of two right ones at equal distance it is the lower.
    """
    distance = np.abs(np.arange(right.shape[1])[None] - answers[:, None]).astype(np.float64)
    result: Classes = np.where(right, distance, np.inf).argmin(1).astype(np.int64)
    return result


def expected(probabilities: F32) -> F64:
    """Return the `(n,)` expected ratings in 1..5 of `(n, 5)` distributions."""
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
        **{name: five[name] for name in ("accuracy", "per_class", "confusion")},
        "confusion3": three["confusion"],
        "chance5": _chance(five["confusion"]),
        "chance3": _chance(three["confusion"]),
    }


def pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Pearson's correlation; 0 where one of the two is constant, for which it is undefined."""
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-9 * len(x) else 0.0


def _chance(confusion: Sequence[Sequence[int]]) -> float:
    """Return the score of one answer for everything: one over the number of classes that occur."""
    return round(1.0 / max(1, int((np.array(confusion).sum(1) > 0).sum())), 6)
