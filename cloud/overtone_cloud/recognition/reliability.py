"""Reliability of probabilities: accuracy per confidence bin, and accuracy against the share of decisions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from overtone_cloud.recognition.predictions import Predictions

BINS = 15
STEPS = 51


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Utterances of like confidence: their number, mean confidence and accuracy (0..1)."""

    utterances: int
    confidence: float
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """Return the values rounded to a hundredth of a per cent."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Cover:
    """Coverage of a threshold: the share of utterances decided, and of those the share that is right."""

    threshold: float
    coverage: float
    accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the values rounded to a hundredth of a per cent."""
        return {name: None if value is None else round(value, 4) for name, value in asdict(self).items()}


def reliability(predictions: Predictions, bins: int = BINS) -> tuple[Bin, ...]:
    """Return the bins that hold utterances, by growing confidence: those of `expected_calibration_error`."""
    answered = predictions.answered
    confidence, correct = predictions.confidence[answered], predictions.correct[answered]
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    return tuple(
        Bin(
            utterances=int((places == b).sum()),
            confidence=float(confidence[places == b].mean()),
            accuracy=float(correct[places == b].mean()),
        )
        for b in range(bins)
        if (places == b).any()
    )


def coverage(predictions: Predictions, thresholds: Sequence[float] | None = None) -> tuple[Cover, ...]:
    """Return the coverage of growing thresholds; the accuracy is None where no utterance reaches a threshold."""
    levels = np.linspace(0.0, 1.0, STEPS) if thresholds is None else thresholds
    return tuple(_cover(predictions, float(t), predictions.confidence >= t) for t in levels)


def own_thresholds(predictions: Predictions) -> Cover:
    """Return coverage and accuracy at each model's own threshold, fitted to its inner speakers."""
    confident = predictions.confidence >= predictions.thresholds
    return _cover(predictions, float(predictions.thresholds.mean()), confident)


def _cover(predictions: Predictions, threshold: float, confident: Any) -> Cover:
    decided = confident & predictions.answered
    accuracy = float(predictions.correct[decided].mean()) if decided.any() else None
    return Cover(threshold=threshold, coverage=float(decided.mean()), accuracy=accuracy)
