"""Reader for a CSV manifest: columns `path` and `label`, and optionally the other fields of an utterance."""

import math
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.files import read_rows
from overtone_cloud.corpora.utterance import Problem, Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.errors import LabelError
from overtone_models.labels import canonical_label

NAME = "manifest"
FILE_NAME = "manifest.csv"
OPTIONAL = {
    "speaker",
    "gender",
    "sentence",
    "session",
    "intensity",
    "text",
    "valence",
    "activation",
    "dominance",
}


def find(path: Path) -> Path | None:
    """Return the manifest that `path` is or holds."""
    if path.is_dir():
        return path / FILE_NAME if (path / FILE_NAME).is_file() else None
    return path if path.suffix.lower() in (".csv", ".tsv") else None


def read(table: Path) -> Reading:
    """Return the manifest's utterances; paths are relative to the manifest's folder.

    An empty label means no label. An unknown label, a missing column or a path listed twice raises CorpusError,
    which names the line.
    """
    content = read_rows(table)
    if not content.rows:
        raise CorpusError(f"{table}: no utterances in it")
    lacking = [column for column in ("path", "label") if column not in content.columns]
    if lacking:
        raise CorpusError(f"{table}: column {lacking[0]!r} is missing; there are {', '.join(content.columns)}")
    utterances: dict[str, Utterance] = {}
    for number, row in zip(content.lines, content.rows, strict=True):
        utterance = _utterance(table, f"{table}, row {number}", row)
        if utterance.id in utterances:
            raise CorpusError(f"{table}, row {number}: path {utterance.id!r} is listed twice")
        utterances[utterance.id] = utterance
    ordered = tuple(utterances[key] for key in sorted(utterances))
    return Reading(
        corpus=NAME, root=table.parent, utterances=ordered, problems=_problems(ordered, set(content.columns))
    )


def _problems(utterances: tuple[Utterance, ...], columns: set[str]) -> tuple[Problem, ...]:
    problems = []
    absent = tuple(u.id for u in utterances if not u.path.is_file())
    if absent:
        problems.append(Problem(kind="missing", text=f"{len(absent)} listed files are not there", names=absent))
    strange = tuple(sorted(columns - {"path", "label"} - OPTIONAL))
    if strange:
        problems.append(Problem(kind="note", text=f"columns not used: {', '.join(strange)}", names=strange))
    without = tuple(u.id for u in utterances if u.label is None)
    if without:
        problems.append(Problem(kind="label", text=f"{len(without)} utterances without a label", names=without))
    return tuple(problems)


def _utterance(table: Path, where: str, row: dict[str, str]) -> Utterance:
    name = row.get("path", "")
    if not name:
        raise CorpusError(f"{where}: path is empty")
    own = row.get("label") or None
    try:
        label = None if own is None else canonical_label(own)
    except LabelError as error:
        raise CorpusError(f"{where}: {error}") from error
    return Utterance(
        id=PurePosixPath(name.replace("\\", "/")).as_posix(),
        path=table.parent / name.replace("\\", "/"),
        corpus=NAME,
        corpus_label=own,
        label=label,
        speaker=row.get("speaker") or None,
        gender=row.get("gender") or None,
        sentence=row.get("sentence") or None,
        session=row.get("session") or None,
        intensity=row.get("intensity") or None,
        text=row.get("text") or None,
        valence=_number(where, row, "valence"),
        activation=_number(where, row, "activation"),
        dominance=_number(where, row, "dominance"),
    )


def _number(where: str, row: dict[str, str], column: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CorpusError(f"{where}: {column} is {text!r}, not a number")
    return value
