"""What the paper measures: unweighted accuracies of five and three classes, Pearson's correlation, the confusion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_models.front_end import F32
from overtone_papers.common.fitting import scores
from overtone_papers.valence.soft_labels import (
    NAMES,
    POOL,
    POOLED_NAMES,
    accepted,
    counted_as,
    expected,
    pooled,
    soft,
)

MEASURES = ("acc5", "acc3", "rho")


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


def summed(results: Sequence[Mapping[str, Any]], key: str = "confusion") -> list[list[int]]:
    """Return the sum of confusions."""
    total: list[list[int]] = np.sum([np.array(r[key]) for r in results], axis=0).tolist()
    return total


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and the sample deviation, which is None for one value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _chance(confusion: Sequence[Sequence[int]]) -> float:
    """Return what one answer for everything scores: one over the classes that occur."""
    return round(1.0 / max(1, int((np.array(confusion).sum(1) > 0).sum())), 6)
