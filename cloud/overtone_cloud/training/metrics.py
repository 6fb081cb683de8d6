"""What is reported of a classifier: UAR first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_models.calibration import expected_calibration_error
from overtone_models.front_end import F32

Targets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """Figures of one set of predictions; shares are 0..1, `confusion[true, predicted]` counts."""

    labels: tuple[str, ...]
    uar: float
    accuracy: float
    macro_f1: float
    calibration_error: float
    recalls: F32
    precisions: F32
    confusion: Targets
    per_speaker: dict[str, float]
    decided: float
    accuracy_when_decided: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures rounded to a hundredth of a per cent."""
        return {
            "uar": round(self.uar, 4),
            "accuracy": round(self.accuracy, 4),
            "macro_f1": round(self.macro_f1, 4),
            "calibration_error": round(self.calibration_error, 4),
            "utterances": int(self.confusion.sum()),
            "per_class": {
                label: {"recall": _rounded(r), "precision": _rounded(p), "utterances": int(n)}
                for label, r, p, n in zip(
                    self.labels, self.recalls, self.precisions, self.confusion.sum(1), strict=True
                )
            },
            "per_speaker_uar": {speaker: round(value, 4) for speaker, value in self.per_speaker.items()},
            "confusion": self.confusion.tolist(),
            "decided": round(self.decided, 4),
            "accuracy_when_decided": round(self.accuracy_when_decided, 4),
        }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def confusion_matrix(predicted: Targets, targets: Targets, classes: int) -> Targets:
    """Return `(classes, classes)` counts, rows the truth."""
    return np.bincount(targets * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def recalls(confusion: Targets) -> F32:
    """Return each class' recall; NaN for a class without utterances."""
    totals = confusion.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: F32 = np.where(totals > 0, np.diag(confusion) / totals, np.nan)
    return result


def unweighted_average_recall(predicted: Targets, targets: Targets, classes: int) -> float:
    """Return the mean recall of the classes that occur."""
    return float(np.nanmean(recalls(confusion_matrix(predicted, targets, classes))))


def scores(
    probabilities: F32,
    targets: Targets,
    labels: Sequence[str],
    speakers: Sequence[str],
    threshold: float = 0.0,
) -> Scores:
    """Return the scores of `(n, K)` probabilities."""
    predicted = probabilities.argmax(1)
    confusion = confusion_matrix(predicted, targets, len(labels))
    recall = recalls(confusion)
    precision = recalls(confusion.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.nan_to_num(2 * recall * precision / (recall + precision))
    who = np.array(speakers)
    decided = probabilities.max(1) >= threshold
    correct = predicted == targets
    return Scores(
        labels=tuple(labels),
        uar=float(np.nanmean(recall)),
        accuracy=float(correct.mean()),
        macro_f1=float(f1[confusion.sum(1) > 0].mean()),
        calibration_error=expected_calibration_error(probabilities, targets),
        recalls=recall,
        precisions=precision,
        confusion=confusion,
        per_speaker={
            s: unweighted_average_recall(predicted[who == s], targets[who == s], len(labels))
            for s in sorted(set(speakers))
        },
        decided=float(decided.mean()),
        accuracy_when_decided=float(correct[decided].mean()) if decided.any() else 0.0,
    )
