"""Fetches a corpus from its official address into a folder: download, verify, unpack, rename."""

import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.corpus import Archive
from overtone_cloud.corpora.download import Download, Progress, Retries, verify
from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.errors import DownloadError

MAX_FILES = 200_000
MAX_UNPACKED_BYTES = 64 * 1024**3


def archive_of(name: str) -> Archive:
    """Return the archive of a corpus; raise DownloadError, which says how to get the corpus, where there is none."""
    corpus = CORPORA.get(name)
    if corpus is None:
        raise DownloadError(f"no source for corpus {name!r}; there are {', '.join(CORPORA)}")
    if corpus.archive is None:
        raise DownloadError(f"{corpus.title} cannot simply be downloaded: {corpus.instructions}")
    return corpus.archive


def fetch(archive: Archive, folder: Path, *, progress: Progress | None = None, retries: Retries | None = None) -> None:
    """Download `archive` and unpack it into a new `folder`; the caller shows the licence first.

    A folder that exists already is left alone: DownloadError.
    """
    if folder.exists():
        raise DownloadError(f"{folder}: already there; remove it to fetch the corpus again")
    file = folder.with_name(archive.file_name)
    if file.exists():
        verify(file, archive.size_bytes, archive.checksum)
    else:
        Download(
            url=archive.url,
            path=file,
            size_bytes=archive.size_bytes,
            checksum=archive.checksum,
            progress=progress,
        ).run(retries)
    unpack(file, folder)
    file.unlink()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP into a new `folder`, all or nothing; nothing may lie outside it or be a link."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            inside = Path(temporary) / folder.name
            inside.mkdir()
            with zipfile.ZipFile(archive) as file:
                _check_members(archive, file.infolist())
                for member in file.infolist():
                    _extract(file, member, inside)
            inside.replace(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError(f"{archive}: not a ZIP archive that can be unpacked: {error}") from error
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be unpacked: {error.strerror or error}") from error


def _check_members(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_FILES:
        raise DownloadError(f"{archive}: {len(members)} files, limit is {MAX_FILES}")
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED_BYTES:
        raise DownloadError(f"{archive}: unpacks to {size} bytes, limit is {MAX_UNPACKED_BYTES}")
    free = shutil.disk_usage(archive.parent).free
    if size > free:
        raise DownloadError(f"{archive}: unpacks to {size} bytes, {free} are free on the disk")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[:1]:
            raise DownloadError(f"{archive}: member {member.filename!r} would lie outside the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DownloadError(f"{archive}: member {member.filename!r} is a link")


def _extract(file: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / member.filename
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open(member) as packed, target.open("xb") as unpacked:
        shutil.copyfileobj(packed, unpacked, 1 << 20)
