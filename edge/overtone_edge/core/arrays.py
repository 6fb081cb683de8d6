"""Arrays on the disk: read without pickle, and whatever is wrong with the file is one error."""

import io
import struct
import tokenize
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import read_limited

_BROKEN = (
    BadZipFile,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
)
"""What zipfile and numpy raise for files with changed bits."""


def read_arrays(path: Path, limit_bytes: int, *names: str, what: str) -> list[Any]:
    """Return the named arrays of an .npz file; raise StorageError, which says that it is not `what`."""
    data = read_limited(path, limit_bytes)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except _BROKEN as error:
        raise StorageError(f"{path}: not {what} ({error})") from error
