"""Reads the files of a local Hugging Face folder: `config.json`, and tensors of `model.safetensors`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_models.front_end import F32

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FLOATS = ("F64", "F32", "F16")
MAX_JSON_BYTES = 64 * 1024 * 1024


def json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raise ConfigError."""
    try:
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise ConfigError(f"{path}: {size} bytes, limit is {MAX_JSON_BYTES}")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: not a JSON object")
    return value


def whole_number(
    path: Path, config: Mapping[str, Any], key: str, most: int, *, default: int | None = None, least: int = 1
) -> int:
    """Return the whole number `config[key]` within its limits; raise ConfigError."""
    value = config.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise ConfigError(f"{path}: {key} is {value!r}, limits are {least} and {most}")
    return value


def require_values(path: Path, config: Mapping[str, Any], expected: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise ConfigError where a key of a configuration has none of its expected values."""
    for key, allowed in expected.items():
        if (value := config.get(key)) not in allowed:
            known = ", ".join(str(name) for name in allowed if name is not None)
            raise ConfigError(f"{path}: {key} is {value!r}, this software computes {known}")


class StoredTensors:
    """The tensors of an open `model.safetensors`."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file = path, file
        self.names = frozenset(file.keys())

    def tensor(self, stored: str, shape: tuple[int, ...]) -> F32:
        """Return a tensor as float32; raise ConfigError where it has another shape, or whole numbers."""
        part = self._file.get_slice(stored)
        if tuple(part.get_shape()) != shape or part.get_dtype() not in FLOATS:
            actual = f"{part.get_dtype()} of shape {tuple(part.get_shape())}"
            expected = f"shape {shape} in {', '.join(FLOATS)}"
            raise ConfigError(f"{self._path}: {stored} is {actual}, {CONFIG} asks for {expected}")
        tensor: F32 = self._file.get_tensor(stored).astype(np.float32, copy=False)
        return tensor


@contextmanager
def stored_tensors(path: Path) -> Iterator[StoredTensors]:
    """Open a file of weights; raise ConfigError where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            yield StoredTensors(path, file)
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path}: weights cannot be read: {error}") from error
