"""Layout of weights: one flat float32 vector, the head last.

Everything that travels (rounds, updates, personal heads) is such a vector; the layout's digest
shows whether two of them can be added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from overtone_models.digests import digest_bytes, digest_mapping
from overtone_models.errors import LayoutError
from overtone_models.front_end import F32

SCOPES = ("head", "full")


@dataclass(frozen=True)
class Tensor:
    """One weight tensor: its name, shape, and whether it belongs to the head."""

    name: str
    shape: tuple[int, ...]
    head: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class WeightLayout:
    """Places of the tensors in the flat vector."""

    tensors: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        heads = [tensor.head for tensor in self.tensors]
        if heads != sorted(heads) or not any(heads):
            raise LayoutError("the head's tensors must exist and come last in a layout")
        names = [tensor.name for tensor in self.tensors]
        if len(set(names)) != len(names):
            raise LayoutError("a layout names one tensor twice")

    @cached_property
    def size(self) -> int:
        """Number of values in the flat vector."""
        return sum(tensor.size for tensor in self.tensors)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names, shapes and order, hexadecimal."""
        return digest_mapping(self.to_json())

    @cached_property
    def head_slice(self) -> slice:
        """The head's part of the flat vector."""
        head = sum(tensor.size for tensor in self.tensors if tensor.head)
        return slice(self.size - head, self.size)

    def scope_slice(self, scope: str) -> slice:
        """Return the part of the flat vector that `scope` trains."""
        if scope not in SCOPES:
            raise LayoutError(f"unknown scope {scope!r}; scopes are {', '.join(SCOPES)}")
        return self.head_slice if scope == "head" else slice(0, self.size)

    def slices(self) -> dict[str, slice]:
        """Return each tensor's place by its name."""
        places: dict[str, slice] = {}
        start = 0
        for tensor in self.tensors:
            places[tensor.name] = slice(start, start + tensor.size)
            start += tensor.size
        return places

    def flatten(self, weights: Mapping[str, F32]) -> F32:
        """Return the `(size,)` vector of named tensors; raise LayoutError where they do not fit."""
        names = {tensor.name for tensor in self.tensors}
        if set(weights) != names:
            raise LayoutError(f"weights lack {sorted(names - set(weights))} or add {sorted(set(weights) - names)}")
        for tensor in self.tensors:
            if tuple(weights[tensor.name].shape) != tensor.shape:
                shape = tuple(weights[tensor.name].shape)
                raise LayoutError(f"tensor {tensor.name} has shape {shape}, the layout says {tensor.shape}")
        flat = [np.asarray(weights[t.name], np.float32).reshape(-1) for t in self.tensors]
        return np.concatenate(flat)

    def unflatten(self, vector: F32) -> dict[str, F32]:
        """Return views of a `(size,)` vector by name."""
        self.check(vector)
        places = self.slices()
        return {t.name: vector[places[t.name]].reshape(t.shape) for t in self.tensors}

    def check(self, vector: F32) -> None:
        """Raise LayoutError unless `vector` is finite float32 of this layout's size."""
        if vector.shape != (self.size,) or vector.dtype != np.float32:
            raise LayoutError(f"weights are {vector.dtype} of shape {vector.shape}, the layout says ({self.size},)")
        if not np.isfinite(vector).all():
            raise LayoutError("weights hold a value that is not finite")

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return {"tensors": [{"name": t.name, "shape": list(t.shape), "head": t.head} for t in self.tensors]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "WeightLayout":
        """Return the layout that `to_json` wrote; raise LayoutError for anything else."""
        try:
            return cls(
                tuple(Tensor(str(t["name"]), tuple(map(int, t["shape"])), bool(t["head"])) for t in data["tensors"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LayoutError(f"not a weight layout: {error!r}") from error


def weights_digest(vector: F32) -> str:
    """Return the SHA-256 of a flat vector's little-endian float32 bytes, hexadecimal."""
    return digest_bytes(vector.astype("<f4").tobytes())
