"""Reads tensors from CTranslate2's `model.bin`.

The file (little endian) begins with its format, the specification's name and revision, and the number of tensors. Each
tensor is its name, rank, dimensions, type, length in bytes and data; aliases follow, which are not read. A text is its
length with a closing zero, in two bytes, then the bytes.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_models.front_end import F32

MODEL = "model.bin"
FORMAT = 6
TYPES: dict[int, tuple[str, int]] = {0: ("<f4", 4), 1: ("<i1", 1), 2: ("<i2", 2), 3: ("<i4", 4), 4: ("<f2", 2)}
"""numpy's type and bytes of an element; bfloat16 (5) and AWQ's are not among them."""
FLOATS = ("<f4", "<f2")
MAX_TENSORS, MAX_RANK, MAX_NAME_BYTES = 100_000, 8, 1_024


@dataclass(frozen=True)
class StoredTensor:
    """Place of a tensor in the file."""

    shape: tuple[int, ...]
    type_code: int
    offset: int
    size: int


class TensorFile:
    """The tensors of an open `model.bin` by name; `tensor` reads one of them."""

    def __init__(self, path: Path, file: IO[bytes], specification: str) -> None:
        self._path, self._file = path, file
        self._bytes = os.fstat(file.fileno()).st_size
        if (version := self._number("I")) != FORMAT:
            raise ConfigError(f"{path}: not a CTranslate2 file of format {FORMAT}, it begins with {version}")
        if (name := self._text()) != specification:
            raise ConfigError(f"{path}: a CTranslate2 file of {name[:40]!r}, this software reads {specification}")
        self._number("I")
        if (count := self._number("I")) > MAX_TENSORS:
            raise ConfigError(f"{path}: {count} tensors, limit is {MAX_TENSORS}")
        self.stored = dict(self._listed() for _ in range(count))

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> F32:
        """Return a tensor as float32; raise ConfigError where it is missing, not of floats or of another shape."""
        if name not in self.stored:
            raise ConfigError(f"{self._path}: weights without {name}")
        place = self.stored[name]
        kind, size = TYPES.get(place.type_code, ("", 0))
        if kind not in FLOATS:
            raise ConfigError(f"{self._path}: {name} is quantised, this software reads float32 and float16")
        if shape is not None and place.shape != shape:
            raise ConfigError(f"{self._path}: {name} has shape {place.shape}, expected is {shape}")
        if place.size != size * int(np.prod(place.shape, dtype=np.int64)):
            raise ConfigError(f"{self._path}: {name} of shape {place.shape} has {place.size} bytes")
        return self._read(place, kind).astype(np.float32)

    def whole_number(self, name: str) -> int:
        """Return a tensor's only element, a whole number; raise ConfigError where it is not one."""
        place = self.stored.get(name)
        kind, size = TYPES.get(place.type_code, ("", 0)) if place else ("", 0)
        if place is None or not kind.startswith("<i") or place.size != size:
            raise ConfigError(f"{self._path}: {name} is missing, or not one whole number")
        return int(self._read(place, kind).item())

    def _read(self, place: StoredTensor, kind: str) -> "np.ndarray[Any, Any]":
        self._file.seek(place.offset)
        return np.frombuffer(self._file.read(place.size), kind).reshape(place.shape)

    def _listed(self) -> tuple[str, StoredTensor]:
        name = self._text()
        if (rank := self._number("B")) > MAX_RANK:
            raise ConfigError(f"{self._path}: {name} has {rank} dimensions, limit is {MAX_RANK}")
        shape = tuple(self._number("I") for _ in range(rank))
        type_code, size = self._number("B"), self._number("I")
        place = StoredTensor(shape, type_code, self._file.tell(), size)
        if place.offset + size > self._bytes:
            raise ConfigError(f"{self._path}: ends after {self._bytes} bytes, within {name}")
        self._file.seek(size, os.SEEK_CUR)
        return name, place

    def _number(self, code: str) -> int:
        size = struct.calcsize(code)
        value: int = struct.unpack(f"<{code}", self._exactly(size))[0]
        return value

    def _text(self) -> str:
        size = self._number("H")
        if not 1 <= size <= MAX_NAME_BYTES:
            raise ConfigError(f"{self._path}: a name of {size} bytes, limits are 1 and {MAX_NAME_BYTES}")
        return self._exactly(size)[:-1].decode("utf-8", "replace")

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConfigError(f"{self._path}: ends after {self._bytes} bytes, within its list of tensors")
        return data
