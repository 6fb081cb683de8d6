"""Integrity check of a corpus: unreadable, identical and silent recordings, and durations."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.utterance import Problem, Reading, Utterance
from overtone_cloud.errors import AudioError

Progress = Callable[[int, int], None]
"""Called with the number of utterances done, and of all."""

SILENCE_PEAK = 1e-4


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A reading without its unreadable utterances, and the duration of each other utterance by its id."""

    reading: Reading
    durations_s: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class _Sound:
    duration_s: float
    digest: str
    silent: bool


def check(reading: Reading, progress: Progress | None = None) -> Inspection:
    """Decode every utterance: unreadable ones are left out, identical and silent ones reported.

    Identical sound stays in the reading: RAVDESS itself holds two such clips.
    """
    sounds: dict[str, _Sound] = {}
    unreadable: dict[str, str] = {}
    for utterance in _with_progress(reading, progress):
        try:
            sounds[utterance.id] = _decode(utterance.path)
        except AudioError as error:
            unreadable[utterance.id] = str(error)
    inspection = _without(reading, unreadable, {key: sound.duration_s for key, sound in sounds.items()})
    problems = [*_identical(sounds, {u.id: u for u in reading.utterances})]
    silent = tuple(key for key, sound in sounds.items() if sound.silent)
    if silent:
        text = f"{len(silent)} utterances are silent (peak below {SILENCE_PEAK:g})"
        problems.append(Problem(kind="silent", text=text, names=silent))
    return replace(inspection, reading=inspection.reading.with_problems(*problems))


def measure(reading: Reading, progress: Progress | None = None) -> Inspection:
    """Return durations from the files' headers alone; files without a readable header are left out and reported."""
    durations: dict[str, float] = {}
    unreadable: dict[str, str] = {}
    for utterance in _with_progress(reading, progress):
        try:
            durations[utterance.id] = audio.info(utterance.path).duration_s
        except AudioError as error:
            unreadable[utterance.id] = str(error)
    return _without(reading, unreadable, durations)


def _with_progress(reading: Reading, progress: Progress | None) -> Iterator[Utterance]:
    for done, utterance in enumerate(reading.utterances):
        yield utterance
        if progress is not None:
            progress(done + 1, len(reading.utterances))


def _decode(path: Path) -> _Sound:
    samples, rate_hz = audio.decode(path)
    digest = hashlib.sha256(str(rate_hz).encode() + samples.tobytes()).hexdigest()
    peak = max(float(samples.max()), -float(samples.min()))
    return _Sound(duration_s=samples.size / rate_hz, digest=digest, silent=peak < SILENCE_PEAK)


def _without(reading: Reading, unreadable: dict[str, str], durations_s: dict[str, float]) -> Inspection:
    problems = [Problem(kind="unreadable", text=text, names=(key,)) for key, text in unreadable.items()]
    if unreadable:
        text = f"{len(unreadable)} of {len(reading.utterances)} utterances cannot be used, skipped"
        problems.insert(0, Problem(kind="unreadable", text=text, names=tuple(unreadable)))
    readable = tuple(u for u in reading.utterances if u.id not in unreadable)
    rest = replace(reading, utterances=readable).with_problems(*problems)
    return Inspection(reading=rest, durations_s=durations_s)


def _identical(sounds: dict[str, _Sound], utterances: dict[str, Utterance]) -> Iterator[Problem]:
    by_digest: defaultdict[str, list[str]] = defaultdict(list)
    for key, sound in sounds.items():
        by_digest[sound.digest].append(key)
    for keys in by_digest.values():
        if len(keys) > 1:
            labels = {utterances[key].label for key in keys}
            differs = " under different labels" if len(labels) > 1 else ""
            text = f"identical sound{differs}: {', '.join(keys)}"
            yield Problem(kind="duplicate", text=text, names=tuple(keys))
