"""Folder of a trained window network: `window.json` beside `weights.safetensors`.

Training writes it, conversion reads it. Beside them lie `calibration.npz` (raw features of the training part,
arrays x0, x1 ...) and `test.npz` (raw test features and their classes `y`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from overtone_models.errors import ModelError
from overtone_models.front_end import F32

FORMAT = 1
DESCRIPTION, WEIGHTS, CALIBRATION, TEST = "window.json", "weights.safetensors", "calibration.npz", "test.npz"
MAX_JSON_BYTES = 1 << 20
MAX_WEIGHT_BYTES = 1 << 30
MIN_STD = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowModel:
    """Weights of the network `network` built with `options`, and what gives them meaning.

    One feature specification (JSON), input shape (None for a length that depends on the data), mean and deviation
    per input; inputs are `(x - scale_mean) / scale_std`. `weights` are in Keras' `get_weights()` order.
    `window_s` is None where the features determine the window.
    """

    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...]
    features: tuple[Mapping[str, Any], ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    scale_mean: tuple[F32, ...]
    scale_std: tuple[F32, ...]
    weights: Sequence[F32]
    lineage: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    split: str = "unknown"
    window_s: float | None = None
    decision_every_s: float = 0.5

    def __post_init__(self) -> None:
        counts = {len(self.features), len(self.input_shapes), len(self.scale_mean), len(self.scale_std)}
        if counts != {len(self.features)} or not self.features:
            raise ModelError(
                f"{self.network}: {len(self.features)} features, {len(self.input_shapes)} input shapes, "
                f"{len(self.scale_mean)} means and {len(self.scale_std)} deviations must be equal in number, 1 or more"
            )
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ModelError(f"{self.network}: labels are {list(self.labels)}, they must be two or more, each once")
        for number, (mean, std) in enumerate(zip(self.scale_mean, self.scale_std, strict=True)):
            if np.shape(mean) != np.shape(std):
                raise ModelError(
                    f"{self.network}: the mean of input {number} has shape {np.shape(mean)}, its deviation "
                    f"{np.shape(std)}"
                )
            if not np.isfinite(mean).all() or not (np.isfinite(std).all() and (np.asarray(std) > MIN_STD).all()):
                raise ModelError(f"{self.network}: input {number}: mean or deviation is not finite, or not positive")
        for number, array in enumerate(self.weights):
            if not np.isfinite(array).all():
                raise ModelError(f"{self.network}: weight array {number} holds a value that is not finite")

    def standardise(self, inputs: Sequence[F32]) -> list[F32]:
        """Return inputs `(rows, *shape)` less their mean over their deviation."""
        scales = zip(inputs, self.scale_mean, self.scale_std, strict=True)
        return [((np.asarray(x, np.float32) - mean) / std).astype(np.float32) for x, mean, std in scales]

    def save(self, folder: Path) -> None:
        """Write the two files into `folder`, creating it; raise ModelError where that fails."""
        arrays = {f"weight{number:04d}": array for number, array in enumerate(self.weights)}
        arrays |= {f"mean{number}": array for number, array in enumerate(self.scale_mean)}
        arrays |= {f"std{number}": array for number, array in enumerate(self.scale_std)}
        tensors = {name: np.array(array, np.float32, order="C") for name, array in arrays.items()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / WEIGHTS).write_bytes(save_tensors(tensors))
            (folder / DESCRIPTION).write_text(json.dumps(self._description(), indent=1) + "\n")
        except OSError as error:
            raise ModelError(f"{folder}: the network cannot be written: {error.strerror or error}") from error

    def _description(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "network": self.network,
            "options": dict(self.options),
            "labels": list(self.labels),
            "features": [dict(feature) for feature in self.features],
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "lineage": {key: str(value) for key, value in self.lineage.items()},
            "licence": self.licence,
            "split": self.split,
            "window_s": self.window_s,
            "decision_every_s": self.decision_every_s,
        }

    @classmethod
    def load(cls, folder: Path) -> "WindowModel":
        """Return what `save` wrote; raise ModelError that names the file and what is wrong with it."""
        path = folder / DESCRIPTION
        try:
            data = json.loads(_read(path, MAX_JSON_BYTES))
            arrays = load_tensors(_read(folder / WEIGHTS, MAX_WEIGHT_BYTES))
        except SafetensorError as error:
            raise ModelError(f"{folder / WEIGHTS}: not a file of weights: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path}: not a window network's description: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ModelError(f"{path}: not a window network's description of format {FORMAT}")
        try:
            return cls._assembled(data, arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: a field is missing or wrong: {error!r}") from error

    @classmethod
    def _assembled(cls, data: Mapping[str, Any], arrays: Mapping[str, F32]) -> "WindowModel":
        inputs = range(len(data["features"]))
        return cls(
            network=str(data["network"]),
            options=dict(data["options"]),
            labels=tuple(map(str, data["labels"])),
            features=tuple(dict(feature) for feature in data["features"]),
            input_shapes=tuple(tuple(n if n is None else int(n) for n in shape) for shape in data["input_shapes"]),
            scale_mean=tuple(arrays[f"mean{number}"] for number in inputs),
            scale_std=tuple(arrays[f"std{number}"] for number in inputs),
            weights=[arrays[name] for name in sorted(arrays) if name.startswith("weight")],
            lineage=dict(data["lineage"]),
            licence=str(data["licence"]),
            split=str(data["split"]),
            window_s=None if data["window_s"] is None else float(data["window_s"]),
            decision_every_s=float(data["decision_every_s"]),
        )


def is_window_folder(folder: Path) -> bool:
    """Return whether `folder` holds a window network (as opposed to an edge network's run)."""
    return (folder / DESCRIPTION).is_file()


def load_calibration(folder: Path) -> list[F32]:
    """Return the raw inputs `(rows, *shape)` that set int8 ranges; raise ModelError where there are none."""
    return _inputs(folder / CALIBRATION, _arrays(folder / CALIBRATION))


def load_test(folder: Path) -> tuple[list[F32], "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """Return raw test inputs `(rows, *shape)` and their classes `(rows,)`; raise ModelError where there are none."""
    path = folder / TEST
    arrays = _arrays(path)
    inputs = _inputs(path, arrays)
    if "y" not in arrays or arrays["y"].shape != (len(inputs[0]),) or arrays["y"].dtype.kind not in "iu":
        raise ModelError(f"{path}: y must hold {len(inputs[0])} class numbers, one per row")
    return inputs, arrays["y"].astype(np.int64)


def _inputs(path: Path, arrays: Mapping[str, Any]) -> list[F32]:
    names = [f"x{number}" for number in range(len(arrays)) if f"x{number}" in arrays]
    if not names or names[0] != "x0":
        raise ModelError(f"{path}: there is no array x0")
    if scalars := [name for name in names if not np.ndim(arrays[name])]:
        raise ModelError(f"{path}: {scalars[0]} has no rows")
    rows = {len(arrays[name]) for name in names}
    if len(rows) != 1 or rows == {0}:
        raise ModelError(f"{path}: the inputs have {sorted(rows)} rows, they must have the same number, 1 or more")
    inputs = [np.asarray(arrays[name], np.float32) for name in names]
    for name, values in zip(names, inputs, strict=True):
        if not np.isfinite(values).all():
            raise ModelError(f"{path}: {name} holds a value that is not finite")
    return inputs


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing: it is needed for conversion, and written beside the network") from error
    except (OSError, ValueError, EOFError, TypeError, BadZipFile) as error:
        raise ModelError(f"{path}: not a file of arrays: {error}") from error


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise ModelError(f"{path} is {size} bytes, limit is {limit_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
