"""Stored arrays: every changed bit is an error of ours, or still arrays."""

import io
from pathlib import Path

import numpy as np
import pytest

from overtone_common.files import read_arrays


class StorageError(Exception):
    """The caller's own error."""


def stored() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, frames=np.ones((2, 3), np.float32), base=np.array("ab" * 8))
    return buffer.getvalue()


def test_what_was_stored_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(stored())
    frames, base = read_arrays(path, 10_000, "frames", "base", what="an example", error=StorageError)
    assert frames.shape == (2, 3) and str(base) == "ab" * 8


def test_changed_bits_and_cut_files(tmp_path: Path) -> None:
    path, data = tmp_path / "a.npz", stored()
    damaged = [data[:size] for size in range(0, len(data), 7)]
    for place in range(len(data)):
        for bit in (0, 3, 7):
            damaged.append(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
    refused = 0
    for one in damaged:
        path.write_bytes(one)
        try:
            read_arrays(path, 10_000, "frames", "base", what="an example", error=StorageError)
        except StorageError as error:
            assert f"{path}: not an example" in str(error)
            refused += 1
    assert refused > len(damaged) // 4


def test_an_array_alone_and_a_missing_name(tmp_path: Path) -> None:
    path, buffer = tmp_path / "a.npz", io.BytesIO()
    np.save(buffer, np.ones(3))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(StorageError, match="not an example"):
        read_arrays(path, 10_000, "frames", what="an example", error=StorageError)
    path.write_bytes(stored())
    with pytest.raises(StorageError, match="weights"):
        read_arrays(path, 10_000, "weights", what="a head", error=StorageError)
