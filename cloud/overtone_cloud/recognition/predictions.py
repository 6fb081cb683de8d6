"""Predictions of test utterances: pooled over folds, scored as a whole, by gender, and as a confusion matrix."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import TrainingError
from overtone_models.calibration import expected_calibration_error
from overtone_models.front_end import F32
from overtone_models.metrics import Targets, confusion_matrix, unweighted_average_recall

DIGITS = 5
UNKNOWN_GENDER = "not told"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities `(n, K)` of utterances; a row of zeros where no speech was detected, which counts as wrong.

    `thresholds` `(n,)` is each utterance's probability below which its model does not decide.
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    targets: Targets
    probabilities: F32
    thresholds: F32

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """`(n,)` mask of the utterances with detected speech."""
        result: NDArray[np.bool_] = self.probabilities.max(axis=1) > 0.0
        return result

    @property
    def predicted(self) -> Targets:
        """`(n,)` places of the likeliest labels, K where no speech was detected."""
        return np.where(self.answered, self.probabilities.argmax(1), len(self.labels)).astype(np.int64)

    @property
    def confidence(self) -> F32:
        """`(n,)` largest probabilities."""
        largest: F32 = self.probabilities.max(axis=1)
        return largest

    @property
    def correct(self) -> NDArray[np.bool_]:
        """`(n,)` mask of the utterances whose likeliest label is right."""
        right: NDArray[np.bool_] = self.predicted == self.targets
        return right

    @property
    def uar(self) -> float:
        """Unweighted average recall, 0..1; utterances without detected speech count as wrong."""
        return unweighted_average_recall(self.predicted, self.targets, len(self.labels) + 1)

    @property
    def recalls(self) -> dict[str, float]:
        """Each label's recall, 0..1, of those that occur."""
        occurring = np.unique(self.targets)
        return {self.labels[c]: float(self.correct[self.targets == c].mean()) for c in occurring}

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, 0..1, of the utterances with detected speech."""
        answered = self.answered
        return expected_calibration_error(self.probabilities[answered], self.targets[answered])

    def where(self, accepts: Callable[[str], bool]) -> "Predictions":
        """Return the predictions of the speakers that `accepts` returns true for."""
        return self.rows(np.array([accepts(speaker) for speaker in self.speakers], bool))

    def rows(self, rows: NDArray[np.bool_]) -> "Predictions":
        """Return the part of the utterances where `rows` `(n,)` is true."""
        return Predictions(
            self.labels,
            tuple(i for i, keep in zip(self.ids, rows, strict=True) if keep),
            tuple(s for s, keep in zip(self.speakers, rows, strict=True) if keep),
            self.targets[rows],
            self.probabilities[rows],
            self.thresholds[rows],
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads; probabilities are rounded to significant digits.

        All of a row may be tiny where the network takes speech for a sound: to decimals it would look like not heard.
        """
        return {
            "labels": list(self.labels),
            "ids": list(self.ids),
            "speakers": list(self.speakers),
            "targets": self.targets.tolist(),
            "probabilities": [[float(f"{p:.{DIGITS}g}") for p in row] for row in self.probabilities],
            "thresholds": [round(float(t), DIGITS) for t in self.thresholds],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Predictions":
        """Return what `to_json` wrote."""
        labels = tuple(data["labels"])
        return cls(
            labels,
            tuple(data["ids"]),
            tuple(data["speakers"]),
            np.array(data["targets"], np.int64),
            np.array(data["probabilities"], np.float32).reshape(-1, len(labels)),
            np.array(data["thresholds"], np.float32),
        )


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """Return several folds' predictions as one; raise TrainingError where their labels differ."""
    if len({part.labels for part in parts}) != 1:
        raise TrainingError(f"predictions with {len({p.labels for p in parts})} sets of labels cannot be pooled")
    return Predictions(
        parts[0].labels,
        tuple(i for part in parts for i in part.ids),
        tuple(s for part in parts for s in part.speakers),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.thresholds for part in parts]),
    )


def genders_of(reading: Reading) -> dict[str, str]:
    """Return each speaker's gender as the corpus gives it."""
    return {str(u.speaker): u.gender or UNKNOWN_GENDER for u in reading.labelled if u.speaker is not None}


def gender_uar(predictions: Predictions, genders: Mapping[str, str]) -> dict[str, float]:
    """Return the UAR, 0..1, over all speakers of each gender."""
    kinds = sorted({genders[speaker] for speaker in predictions.speakers})
    return {kind: round(predictions.where(lambda s, k=kind: genders[s] == k).uar, 4) for kind in kinds}  # type: ignore[misc]


def confusion(predictions: Predictions) -> list[list[int]]:
    """Return the confusion counts, one row per label; the last column counts utterances without detected speech."""
    classes = len(predictions.labels)
    counts = confusion_matrix(predictions.predicted, predictions.targets, classes + 1)
    return [[int(count) for count in row] for row in counts[:classes]]
