"""Atomic file writes, size-limited reads and npz archives.

Every function raises the caller's `error` in one line that begins with the path, so that each package keeps
its own errors.
"""

import contextlib
import io
import os
import secrets
import shutil
import struct
import tokenize
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

PRIVATE_FILE, PUBLIC_FILE = 0o600, 0o644
PRIVATE_FOLDER, PUBLIC_FOLDER = 0o700, 0o755

BROKEN_ARRAYS = (
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


@contextlib.contextmanager
def storing(path: Path, *, error: type[Exception]) -> Iterator[None]:
    """Turn an OSError inside the block into `error` with the path and the system's reason."""
    try:
        yield
    except OSError as problem:
        raise error(f"{path}: {problem.strerror or problem}") from problem


def make_folder(path: Path, *, error: type[Exception], private: bool = False) -> Path:
    """Return `path`, created where it did not exist; `private` folders get mode 0700."""
    with storing(path, error=error):
        path.mkdir(mode=PRIVATE_FOLDER if private else PUBLIC_FOLDER, parents=True, exist_ok=True)
    return path


def write_atomically(
    path: Path, data: bytes, *, error: type[Exception], private: bool = False, durable: bool = True
) -> None:
    """Write `data` so that a crash leaves the old file or the new one; missing folders are created.

    `private` files can be read by their owner only, from the first byte on. With `durable` the file and its folder
    entry are on the disk before this returns.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER if private else PUBLIC_FOLDER, parents=True, exist_ok=True)
        try:
            _write_new(temporary, data, private=private, durable=durable)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        if durable:
            _sync_folder(path.parent)
    except OSError as problem:
        raise error(f"{path}: cannot be written: {problem.strerror or problem}") from problem


def _write_new(path: Path, data: bytes, *, private: bool, durable: bool) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
        if not private:
            os.fchmod(file.fileno(), PUBLIC_FILE)
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def sync_folder(path: Path, *, error: type[Exception]) -> None:
    """Make a folder's entries durable, a removal for example."""
    with storing(path, error=error):
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_limited(path: Path, limit_bytes: int, *, error: type[Exception]) -> bytes:
    """Return a file's bytes; a file larger than `limit_bytes` is refused before it is read."""
    with storing(path, error=error):
        size = path.stat().st_size
        if size > limit_bytes:
            raise error(f"{path} is {size} bytes, limit is {limit_bytes}")
        return path.read_bytes()


def remove(path: Path, *, error: type[Exception]) -> None:
    """Remove a file or a whole folder; a path that does not exist is no error."""
    with storing(path, error=error):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_leftovers(folder: Path, *, error: type[Exception]) -> None:
    """Remove temporary files of killed processes from `folder`; those of live processes stay."""
    for path in folder.glob(".*.tmp"):
        owner = path.name.split(".")[-2]
        if owner.isdigit() and int(owner) != os.getpid() and Path("/proc", owner).exists():
            continue
        remove(path, error=error)


def write_arrays(
    path: Path, arrays: Mapping[str, Any], *, error: type[Exception], private: bool = False, durable: bool = True
) -> None:
    """Write an uncompressed npz archive atomically."""
    data = io.BytesIO()
    np.savez(data, **arrays)
    write_atomically(path, data.getvalue(), error=error, private=private, durable=durable)


def read_arrays(path: Path, limit_bytes: int, *names: str, what: str, error: type[Exception]) -> list[Any]:
    """Return the named arrays of an npz archive, read without pickle; a broken one is "not `what`"."""
    data = read_limited(path, limit_bytes, error=error)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except BROKEN_ARRAYS as problem:
        raise error(f"{path}: not {what} ({problem})") from problem
