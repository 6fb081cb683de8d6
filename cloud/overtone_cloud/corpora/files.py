"""The files of a corpus: recordings found by their endings, and the small text tables beside them."""

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from overtone_cloud.errors import CorpusError

AUDIO_ENDINGS = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".aiff", ".aif", ".aifc"})
MAX_TABLE_BYTES = 64 * 1024 * 1024


def find_audio(root: Path) -> tuple[PurePosixPath, ...]:
    """Return every sound file below `root` by its ending, relative and sorted; links are followed once."""
    paths: list[PurePosixPath] = []
    for folder, files in _walk(root):
        relative = PurePosixPath(folder.relative_to(root).as_posix())
        names = (f for f in files if Path(f).suffix.lower() in AUDIO_ENDINGS and not f.startswith("."))
        paths.extend(relative / name for name in names)
    return tuple(sorted(paths))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk `root`, but no hidden folder, no leftovers of archives, and no link a second time."""
    visited: set[Path] = set()
    for name, folders, files in os.walk(root, followlinks=True):
        real = Path(name).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        yield Path(name), files


def read_text(path: Path) -> str:
    """Return a table's text, UTF-8 or else Latin-1; raise CorpusError when it is too large or unreadable."""
    try:
        size = path.stat().st_size
        if size > MAX_TABLE_BYTES:
            raise CorpusError(f"{path}: table is {size} bytes, limit is {MAX_TABLE_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror or error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's columns, its rows by column, and the line that each row ends on, counted from 1."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    lines: tuple[int, ...]


def read_rows(path: Path) -> Table:
    """Return a table with a heading; tabs in `.tsv`, else commas or semicolons.

    Column names and values are stripped; column names are lower case; short rows lack their last columns.
    """
    # Lines end where a CSV's do: str.splitlines also cuts at characters that a text may hold, U+2028 for example.
    file = io.StringIO(read_text(path), newline="")
    heading = file.readline()
    file.seek(0)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in heading and "," not in heading else ","
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise CorpusError(f"{path}: not a table: {error}") from error
    if not numbered:
        raise CorpusError(f"{path}: empty table")
    columns = tuple(column.strip().lower() for column in numbered[0][1])
    body = [(line, row) for line, row in numbered[1:] if any(row)]
    return Table(
        columns=columns,
        rows=tuple({name: value.strip() for name, value in zip(columns, row, strict=False)} for _, row in body),
        lines=tuple(line for line, _ in body),
    )


def find_table(root: Path, name: str) -> Path | None:
    """Return the table `name` in `root`, or in the folder above or one of the folders in it."""
    for folder in (root, root.parent, *sorted(p for p in root.glob("*") if p.is_dir())):
        if (folder / name).is_file():
            return folder / name
    return None
