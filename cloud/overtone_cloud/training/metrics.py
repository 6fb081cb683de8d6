"""Scores of a classifier for reports: UAR first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_models.calibration import expected_calibration_error
from overtone_models.front_end import F32
from overtone_models.metrics import (
    F64,
    Targets,
    average_recall,
    confusion_matrix,
    macro_f1,
    precisions,
    recalls,
    unweighted_average_recall,
)

__all__ = ["Scores", "Targets", "scores"]


@dataclass(frozen=True, eq=False)
class Scores:
    """Figures of one set of predictions; shares are 0..1, `confusion[true, predicted]` counts."""

    labels: tuple[str, ...]
    uar: float
    accuracy: float
    macro_f1: float
    calibration_error: float
    recalls: F64
    precisions: F64
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
    who = np.array(speakers)
    decided = probabilities.max(1) >= threshold
    correct = predicted == targets
    return Scores(
        labels=tuple(labels),
        uar=average_recall(confusion),
        accuracy=float(correct.mean()),
        macro_f1=macro_f1(confusion),
        calibration_error=expected_calibration_error(probabilities, targets),
        recalls=recalls(confusion),
        precisions=precisions(confusion),
        confusion=confusion,
        per_speaker={
            s: unweighted_average_recall(predicted[who == s], targets[who == s], len(labels))
            for s in sorted(set(speakers))
        },
        decided=float(decided.mean()),
        accuracy_when_decided=float(correct[decided].mean()) if decided.any() else 0.0,
    )
