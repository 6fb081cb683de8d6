"""Figures of recognition: accuracies, confusions, areas under ROC curves; softmax and class weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_models.front_end import F32
from overtone_models.metrics import (
    Targets,
    average_recall,
    confusion_matrix,
    f1_scores,
    macro_f1,
    mean_of_occurring,
    precisions,
    recalls,
)


def softmax(logits: F32) -> F32:
    """Return the probabilities `(n, K)` of logits."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    result: F32 = shifted / shifted.sum(-1, keepdims=True)
    return result


def balanced_weights(y: Targets, classes: int) -> dict[int, float]:
    """Return class weights by inverse frequency, 1 on average over the samples; absent classes weigh 0."""
    counts = np.bincount(y, minlength=classes)
    present = max(1, int((counts > 0).sum()))
    return {k: float(len(y) / (present * n)) if n else 0.0 for k, n in enumerate(counts)}


def scores(outputs: NDArray[Any], y: Targets, labels: Sequence[str]) -> dict[str, Any]:
    """Return the figures of `(n, K)` logits or probabilities, or of `(n,)` recognised classes, as JSON.

    Shares are 0..1; `uar`, `macro_f1` and `macro_precision` are means over the classes that occur in `y`
    (a class that was never recognised has precision 0); `confusion[true][recognised]` counts.
    """
    predicted = np.asarray(outputs if np.ndim(outputs) == 1 else np.argmax(outputs, -1), np.int64)
    truth = np.asarray(y, np.int64)
    size = len(labels)
    confusion = confusion_matrix(predicted, truth, size)
    totals, hits = confusion.sum(1), np.diag(confusion)
    recall, precision, f1 = recalls(confusion), np.nan_to_num(precisions(confusion)), f1_scores(confusion)
    there = totals > 0
    return {
        "accuracy": _share(hits.sum() / max(1, totals.sum())),
        "macro_f1": _share(macro_f1(confusion)) if there.any() else 0.0,
        "macro_precision": _share(mean_of_occurring(precision, confusion)) if there.any() else 0.0,
        "uar": _share(average_recall(confusion)) if there.any() else 0.0,
        "n": int(totals.sum()),
        "per_class": {
            label: {
                "recall": _share(recall[k]) if there[k] else None,
                "precision": _share(precision[k]),
                "f1": _share(f1[k]) if there[k] else None,
                "n": int(totals[k]),
            }
            for k, label in enumerate(labels)
        },
        "confusion": confusion.tolist(),
    }


def auc_one_vs_rest(probabilities: F32, y: Targets) -> float | None:
    """Return the mean over classes of the area under the ROC curve of each class against the rest.

    Classes without a sample on either side are left out; None where no class is left. Give probabilities:
    logits of different samples are not on one scale.
    """
    from sklearn.metrics import roc_auc_score

    truth = np.asarray(y)
    areas = [
        float(roc_auc_score(truth == k, probabilities[:, k]))
        for k in range(probabilities.shape[1])
        if 0 < int((truth == k).sum()) < len(truth)
    ]
    return _share(np.mean(areas)) if areas else None


def _share(value: Any) -> float:
    return round(float(value), 6)
