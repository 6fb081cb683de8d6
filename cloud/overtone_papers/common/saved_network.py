"""Trained networks as the folders that `overtone convert` takes.

A folder holds the network (`overtone_models.window_model`) and raw inputs of the training and test part:
conversion quantises with the former and checks with the latter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.errors import TrainingError
from overtone_common.files import write_arrays
from overtone_models.window_model import CALIBRATION, DESCRIPTION, TEST, WEIGHTS, WindowModel
from overtone_papers.common.data import Scaler

CALIBRATION_ROWS, TEST_ROWS = 64, 200

Rows = NDArray[np.int64]


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
            licence=licence_of(self.corpora),
            split=self.split,
            window_s=self.window_s,
        ).save(folder)
        write_rows(folder, train=train, test=test, inputs=inputs, classes=classes, seed=self.seed)


def saved_files(folder: Path) -> list[Path]:
    """Return the files of a saved network: what a step that trains it leaves behind."""
    return [folder / name for name in (DESCRIPTION, WEIGHTS, CALIBRATION, TEST)]


def licence_of(corpora: Iterable[str]) -> str:
    """Return the terms of the recordings that a network learned from."""
    names = sorted(set(corpora))
    return "; ".join(CORPORA[name].licence if name in CORPORA else f"{name}: unknown" for name in names)


def write_rows(
    folder: Path,
    *,
    train: Sequence[int] | Rows,
    test: Sequence[int] | Rows,
    inputs: Callable[[Rows], Sequence[Any]],
    classes: Callable[[Rows], Any],
    seed: int,
) -> None:
    """Write some of the training rows' raw inputs, and some of the test rows' with their classes."""
    generator = np.random.default_rng(seed)
    calibration = generator.permutation(np.asarray(train))[:CALIBRATION_ROWS]
    tested = generator.permutation(np.asarray(test))[:TEST_ROWS]
    write_arrays(folder / CALIBRATION, _numbered(inputs(calibration)), error=TrainingError)
    write_arrays(folder / TEST, {**_numbered(inputs(tested)), "y": classes(tested)}, error=TrainingError)


def _numbered(inputs: Sequence[Any]) -> dict[str, Any]:
    return {f"x{i}": x for i, x in enumerate(inputs)}
