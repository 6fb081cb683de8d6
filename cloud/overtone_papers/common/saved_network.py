"""Trained networks as the folders that `overtone convert` takes.

A folder holds the network (`overtone_models.window_model`) and raw inputs of the training and test part:
conversion quantises with the former and checks with the latter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import model_licence
from overtone_cloud.errors import TrainingError
from overtone_common.files import write_arrays
from overtone_models.window_model import CALIBRATION, DESCRIPTION, TEST, WEIGHTS, WindowModel
from overtone_papers.common.data import Rows, Scaler

CALIBRATION_ROWS, TEST_ROWS = 64, 200


@dataclass(frozen=True, kw_only=True)
class SavedNetwork:
    """A trained network, and what gives its numbers a meaning; one feature, shape and scaler per input."""

    network: str
    options: Mapping[str, Any]
    weights: Sequence[Any]
    labels: Sequence[str]
    features: Sequence[Mapping[str, Any]]
    shapes: Sequence[tuple[int, ...]]
    scalers: Sequence[Scaler]
    corpora: Iterable[str]
    split: str
    seed: int
    lineage: Mapping[str, Any] = field(default_factory=dict)
    window_s: float | None = None

    def save(
        self,
        folder: Path,
        *,
        train: Sequence[int] | Rows,
        test: Sequence[int] | Rows,
        inputs: Callable[[Rows], Sequence[Any]],
        classes: Callable[[Rows], Any],
    ) -> None:
        """Write the network, and the raw `inputs(rows)` of some training and test rows with their `classes(rows)`."""
        WindowModel(
            network=self.network,
            options=dict(self.options),
            labels=tuple(self.labels),
            features=tuple(self.features),
            input_shapes=tuple(self.shapes),
            scale_mean=tuple(scaler.mean for scaler in self.scalers),
            scale_std=tuple(scaler.std for scaler in self.scalers),
            weights=[np.asarray(w) for w in self.weights],
            lineage={**self.lineage, "seed": self.seed},
            licence=model_licence(self.corpora),
            split=self.split,
            window_s=self.window_s,
        ).save(folder)
        generator = np.random.default_rng(self.seed)
        calibration = generator.permutation(np.asarray(train))[:CALIBRATION_ROWS]
        tested = generator.permutation(np.asarray(test))[:TEST_ROWS]
        for name, rows, more in ((CALIBRATION, calibration, {}), (TEST, tested, {"y": classes(tested)})):
            arrays = {f"x{i}": x for i, x in enumerate(inputs(rows))}
            write_arrays(folder / name, arrays | more, error=TrainingError)


def saved_files(folder: Path) -> list[Path]:
    """Return the files of a saved network: what a step that trains it leaves behind."""
    return [folder / name for name in (DESCRIPTION, WEIGHTS, CALIBRATION, TEST)]
