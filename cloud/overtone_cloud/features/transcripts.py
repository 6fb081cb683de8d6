"""Transcripts of a corpus: from its reader, where the corpus has them, or from a CSV file."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.files import read_rows
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError

OPTION = "transcripts"
"""The option of `overtone paper run D` that names the CSV."""


def transcripts_of(reading: Reading, *, table: Path | None = None) -> dict[str, str]:
    """Return the text of each labelled utterance that has one, by id; the table takes precedence over the corpus.

    Raise CorpusError, which names the option for a CSV file, where no utterance has a text.
    """
    own = {u.id: " ".join(u.text.split()) for u in reading.labelled if u.text and u.text.strip()}
    listed = {} if table is None else _listed(reading, table)
    transcripts = own | listed
    if not transcripts:
        raise CorpusError(
            f"{reading.corpus} in {reading.root}: no transcripts; name a CSV with the columns path and text "
            f"(--option {OPTION}=FILE.csv)"
        )
    return transcripts


def check_transcripts(readings: Mapping[str, Reading], *, table: Path | None = None) -> None:
    """Raise CorpusError, as `transcripts_of` does, for the first corpus without a transcript."""
    for reading in readings.values():
        transcripts_of(reading, table=table)


def read_table(table: Path) -> dict[str, str]:
    """Return the texts of a CSV by path; raise CorpusError, which names the row, for a missing path or two texts."""
    content = read_rows(table)
    for column in ("path", "text"):
        if column not in content.columns:
            raise CorpusError(f"{table}: column {column!r} is missing; there are {', '.join(content.columns)}")
    if not content.rows:
        raise CorpusError(f"{table}: there are no rows")
    texts: dict[str, str] = {}
    for number, row in zip(content.lines, content.rows, strict=True):
        path = PurePosixPath(row.get("path", "").replace("\\", "/")).as_posix()
        text = " ".join(row.get("text", "").split())
        if path == ".":
            raise CorpusError(f"{table}, row {number}: path is empty")
        if texts.get(path, text) != text:
            raise CorpusError(f"{table}, row {number}: path {path!r} is listed twice with different texts")
        if text:
            texts[path] = text
    return texts


def _listed(reading: Reading, table: Path) -> dict[str, str]:
    """Return the table's texts for this corpus' utterances: by id, by whole path, or by a unique file name.

    Rows of other corpora are ignored.
    """
    texts = read_table(table)
    names: dict[str, int] = {}
    for u in reading.utterances:
        names[u.path.name] = names.get(u.path.name, 0) + 1
    matches = {}
    for u in reading.labelled:
        keys = [u.id, u.path.as_posix(), *([u.path.name] if names[u.path.name] == 1 else [])]
        text = next((texts[key] for key in keys if key in texts), None)
        if text is not None:
            matches[u.id] = text
    return matches
