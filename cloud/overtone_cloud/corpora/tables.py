"""Reading the small text tables that come with corpora."""

import csv
from pathlib import Path

from overtone_cloud.errors import CorpusError

MAX_TABLE_BYTES = 64 * 1024 * 1024


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


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table with a heading, by column; tabs in `.tsv`, else commas or semicolons.

    Column names and values are stripped; column names are lower case; short rows lack their last columns.
    """
    lines = read_text(path).splitlines()
    heading = lines[0] if lines else ""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in heading and "," not in heading else ","
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise CorpusError(f"{path}: not a table: {error}") from error
    if not rows:
        raise CorpusError(f"{path}: empty table")
    columns = [column.strip().lower() for column in rows[0]]
    return [
        {column: value.strip() for column, value in zip(columns, row, strict=False)} for row in rows[1:] if any(row)
    ]


def find_table(root: Path, name: str) -> Path | None:
    """Return the table `name` in `root`, or in the folder above or one of the folders in it."""
    for folder in (root, root.parent, *sorted(p for p in root.glob("*") if p.is_dir())):
        if (folder / name).is_file():
            return folder / name
    return None
