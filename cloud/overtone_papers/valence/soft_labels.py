"""Ratings as distributions over five classes, and which answers count as right."""

import numpy as np
from numpy.typing import NDArray

from overtone_models.front_end import F32

CLASSES = 5
NAMES = ("very negative", "negative", "neutral", "positive", "very positive")
POOLED_NAMES = ("negative", "neutral", "positive")
POOL = np.array([0, 0, 1, 2, 2])
"""The class of three that each class of five belongs to."""

Bools = NDArray[np.bool_]
Classes = NDArray[np.int64]
F64 = NDArray[np.float64]


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
