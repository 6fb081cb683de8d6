"""Classification metrics: confusion matrix, recall, unweighted average recall (UAR), F1, log loss.

One rule holds for every mean over classes: a class that does not occur among the targets does not count. What was
recognised as such a class still counts as a miss of the right one. Shares are 0..1, losses are in nats.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Targets = NDArray[np.int64]

LEAST_PROBABILITY = 1e-12
"""Added to a probability before its logarithm is taken."""


def confusion_matrix(predicted: Targets, targets: Targets, classes: int) -> Targets:
    """Return `(classes, classes)` counts; rows are the targets, columns the predictions."""
    return np.bincount(targets * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def recalls(confusion: Targets) -> F64:
    """Return the recall of each class; NaN for a class that does not occur."""
    return _shares(np.diag(confusion), confusion.sum(1))


def precisions(confusion: Targets) -> F64:
    """Return the precision of each class; NaN for a class that was never recognised."""
    return _shares(np.diag(confusion), confusion.sum(0))


def f1_scores(confusion: Targets) -> F64:
    """Return the F1 score of each class; NaN for a class that neither occurs nor was recognised."""
    return _shares(2 * np.diag(confusion), confusion.sum(1) + confusion.sum(0))


def mean_of_occurring(figures: F64, confusion: Targets) -> float:
    """Return the mean figure of the classes that occur; NaN where none does."""
    occurring = confusion.sum(1) > 0
    return float(figures[occurring].mean()) if occurring.any() else float("nan")


def average_recall(confusion: Targets) -> float:
    """Return the unweighted average recall (UAR) of a confusion matrix."""
    return mean_of_occurring(recalls(confusion), confusion)


def macro_f1(confusion: Targets) -> float:
    """Return the unweighted mean of the F1 scores of a confusion matrix."""
    return mean_of_occurring(f1_scores(confusion), confusion)


def unweighted_average_recall(predicted: Targets, targets: Targets, classes: int) -> float:
    """Return the unweighted average recall (UAR) of `(n,)` predicted classes."""
    return average_recall(confusion_matrix(predicted, targets, classes))


def log_loss(probabilities: NDArray[np.floating[Any]], targets: Targets) -> float:
    """Return the mean negative log likelihood of the right classes by `(n, K)` probabilities."""
    right = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(right + LEAST_PROBABILITY).mean())


def _shares(part: Targets, whole: Targets) -> F64:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
