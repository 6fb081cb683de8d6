"""Atomic writes: the old file or the new one, the right mode, and the caller's own error."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from overtone_common.files import (
    make_folder,
    read_limited,
    remove,
    remove_leftovers,
    sync_folder,
    write_arrays,
    write_atomically,
)


class StorageError(Exception):
    """The caller's own error."""


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize(("private", "file_mode"), [(True, 0o600), (False, 0o644)])
def test_a_file_is_replaced_with_its_mode(tmp_path: Path, private: bool, file_mode: int, durable: bool) -> None:
    path = tmp_path / "new" / "a"
    for data in (b"one", b"another"):
        write_atomically(path, data, error=StorageError, private=private, durable=durable)
        assert (path.read_bytes(), mode(path)) == (data, file_mode)
    assert os.listdir(path.parent) == ["a"]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path if step == "replace" else os, step, full)
    with pytest.raises(StorageError, match=r"/a: cannot be written: No space left on device"):
        write_atomically(path, b"new", error=StorageError)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_refusals_are_the_callers_error_and_name_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    inside = tmp_path / "file" / "a"
    with pytest.raises(StorageError, match=r"file is 5 bytes, limit is 4"):
        read_limited(tmp_path / "file", 4, error=StorageError)
    for refused in (
        lambda: write_atomically(inside, b"", error=StorageError),
        lambda: write_arrays(inside, {"a": np.zeros(1)}, error=StorageError),
        lambda: make_folder(inside, error=StorageError),
        lambda: read_limited(inside, 9, error=StorageError),
        lambda: remove(inside, error=StorageError),
        lambda: sync_folder(inside, error=StorageError),
    ):
        with pytest.raises(StorageError, match=r"file/a: .*(Not a directory|File exists)"):
            refused()


def test_leftovers_of_ended_processes_are_removed(tmp_path: Path) -> None:
    ended = 2**22 + 1  # above the largest process id
    for name in (f".a.ff.{ended}.tmp", f".a.{ended}.tmp", f".b.ff.{os.getppid()}.tmp", ".c.tmp", "d"):
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path, error=StorageError)
    assert sorted(os.listdir(tmp_path)) == [f".b.ff.{os.getppid()}.tmp", "d"]


def test_folders_links_and_missing_paths_are_removed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a" / "b", error=StorageError, private=True)
    assert mode(folder) == 0o700
    (tmp_path / "link").symlink_to(folder)
    for path in (tmp_path / "link", folder, folder):
        remove(path, error=StorageError)
    assert sorted(os.listdir(tmp_path)) == ["a"]
