"""Kept predictions and the figures that follow from them: ensembles and tables need no training."""

from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import TrainingError
from overtone_common.files import BROKEN_ARRAYS
from overtone_models.front_end import F32
from overtone_papers.common import fitting
from overtone_papers.ensembles.division import Division
from overtone_papers.ensembles.material import LABELS, Material

FOLDER = "predictions"
SMALLEST = 1e-7


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of an npz; raise TrainingError that names a file which cannot be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except BROKEN_ARRAYS as error:
        raise TrainingError(
            f"{path}: predictions cannot be read ({error}): remove it, and its training is done again"
        ) from error


def figures(probabilities: F32, material: Material, division: Division) -> dict[str, Any]:
    """Return scores of test probabilities as JSON: `fitting.scores`, loss, and accuracy by origin."""
    y = material.y[division.test]
    origins = material.origins[division.test]
    right = probabilities.argmax(1) == y
    chosen = np.maximum(probabilities[np.arange(len(y)), y], SMALLEST)
    return {
        **fitting.scores(probabilities, y, LABELS),
        "loss": round(float(-np.log(chosen).mean()), 6),
        "origins": {
            str(name): {
                "accuracy": round(float(right[origins == name].mean()), 6),
                "n": int((origins == name).sum()),
            }
            for name in np.unique(origins)
        },
    }
