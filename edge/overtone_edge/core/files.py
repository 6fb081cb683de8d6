"""Files that are either whole or absent, and readable by their owner only."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from overtone_edge.core.errors import StorageError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


@contextlib.contextmanager
def storing(what: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError that names `what`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror or error}") from error


def make_folder(path: Path) -> Path:
    """Return `path`, made with mode 0700 where it did not exist."""
    with storing(path):
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    return path


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` so that a crash leaves the old file or the new one.

    With `durable` the file and its folder are on the disk before this returns. Raises StorageError,
    and then nothing half-written is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storing(path):
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_limited(path: Path, limit: int) -> bytes:
    """Return a file's bytes; raise StorageError where it is larger than `limit` or unreadable."""
    with storing(path):
        size = path.stat().st_size
        if size > limit:
            raise StorageError(f"{path} is {size} bytes, limit is {limit}")
        return path.read_bytes()


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing happens where there is none."""
    with storing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder`; a live process's file stays."""
    for path in folder.glob(".*.tmp"):
        owner = path.name.split(".")[-2]
        if owner.isdigit() and int(owner) != os.getpid() and Path("/proc", owner).exists():
            continue
        remove(path)
