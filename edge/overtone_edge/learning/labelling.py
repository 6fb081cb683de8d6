"""Labelled examples from the user: from recordings, from a CSV of recordings, from the last seconds of speech."""

import csv
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from overtone_edge.core.config import gate_spec
from overtone_edge.core.errors import ControlError, SourceError, StorageError
from overtone_edge.hearing.audio import read_recording
from overtone_edge.hearing.example_forms import ExampleForm, example_form_for
from overtone_edge.hearing.recent_speech import Speech
from overtone_edge.install.stored_model import stored_bundle
from overtone_edge.state.examples import Store
from overtone_edge.state.home import Home
from overtone_models.errors import LabelError
from overtone_models.gate import GateSpec, speech_span
from overtone_models.labels import canonical_label

MAX_RECORDING_S = 120.0
MAX_LAST_S = 600.0
MAX_ROWS = 1_000_000
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min)\Z")
_FACTORS = {"ms": 0.001, "s": 1.0, "min": 60.0}


def seconds(text: str) -> float:
    """Return the seconds of `5s`, `500ms` or `2min`; raise ControlError for anything else."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise ControlError(f"{text!r} is not a duration; write for example 5s, 500ms or 2min")
    value = float(match[1]) * _FACTORS[match[2]]
    if not 0 < value <= MAX_LAST_S:
        raise ControlError(f"duration is {value:g} s, limit is {MAX_LAST_S:g} s")
    return value


def checked_label(text: str, labels: tuple[str, ...] | None) -> str:
    """Return the label for an emotion that a person typed; raise LabelError where the installed model lacks it."""
    label = canonical_label(text)
    if labels is not None and label not in labels:
        raise LabelError(f"the installed model has no label {label!r}; it has {', '.join(labels)}")
    return label


@dataclass(frozen=True)
class Row:
    """A recording and its label."""

    path: Path
    label: str


def read_rows(manifest: Path, labels: tuple[str, ...] | None) -> list[Row]:
    """Return the rows of a CSV with the columns `path` and `label`; paths start at its folder.

    Every row is checked before anything is stored: raises SourceError or LabelError naming the line.
    """
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"path", "label"} <= set(reader.fieldnames or ()):
                raise SourceError(f"{manifest}: the first line must name the columns path and label")
            rows = [_row(manifest, number, line, labels) for number, line in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{manifest}: {error}") from error
    if not 0 < len(rows) <= MAX_ROWS:
        raise SourceError(f"{manifest} has {len(rows)} rows, limit is 1..{MAX_ROWS}")
    return rows


def _row(manifest: Path, number: int, line: dict[str, str], labels: tuple[str, ...] | None) -> Row:
    try:
        label = checked_label(line["label"] or "", labels)
    except LabelError as error:
        raise LabelError(f"{manifest}: line {number}: {error}") from error
    path = manifest.parent / (line["path"] or "")
    if not path.is_file():
        raise SourceError(f"{manifest}: line {number}: there is no file {path}")
    return Row(path, label)


@dataclass
class Outcome:
    """Result of labelling recordings: the number stored, and a line for each without speech or that failed."""

    stored: int = 0
    silent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def label_recordings(home: Home, rows: Iterable[Row], *, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Cut each recording with the gate and store its features; a recording that cannot be used is named in the outcome.

    Raises StorageError where the disk refuses.
    """
    bundle = stored_bundle(home)
    form = example_form_for(None if bundle is None else bundle.manifest)
    spec = gate_spec(GateSpec() if bundle is None else bundle.manifest.gate, home.config.gate)
    keep_audio = home.config.learning.keep_audio
    outcome = Outcome()
    for number, row in enumerate(rows, 1):
        try:
            samples = read_recording(row.path, max_s=MAX_RECORDING_S)
        except SourceError as error:
            outcome.failed.append(str(error))
            continue
        first, last = speech_span(samples, spec)
        example = form.from_samples(samples[first:last])
        if example is None:
            outcome.silent.append(f"{row.path}: the gate hears no speech")
            continue
        audio = samples[first:last] if keep_audio else None
        home.store.add(example, row.label, front_end=form.digest, time_ns=time.time_ns(), audio=audio)
        outcome.stored += 1
        progress(number)
    return outcome


def label_speech(store: Store, pieces: list[Speech], label: str, form: ExampleForm) -> int:
    """Store the pieces under `label` and return how many; raise ControlError where there is no speech."""
    examples = [(form.from_rows(piece.frames), piece.samples) for piece in pieces]
    usable = [(example, samples) for example, samples in examples if example is not None]
    if not usable:
        raise ControlError("there is no speech in the last seconds that could be labelled")
    now_ns = time.time_ns()
    for number, (example, samples) in enumerate(usable):
        try:
            store.add(example, label, front_end=form.digest, time_ns=now_ns + number, audio=samples)
        except StorageError as error:
            raise StorageError(f"the label cannot be stored: {error}") from error
    return len(usable)
