"""Writes a corpus of synthetic voices: a folder per speaker and a CSV manifest."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from overtone_cloud.errors import SynthesisError
from overtone_cloud.synthesis.style import EMOTION_STYLES, Voice, check_styles
from overtone_cloud.synthesis.voice import F32, synthesise
from overtone_common import audio
from overtone_common.files import write_atomically

MANIFEST = "manifest.csv"
COLUMNS = ("path", "speaker", "label", "sentence", "session")
SHORTEST_S, LONGEST_S = 1.4, 2.6
SPEAKERS_PER_SESSION = 2
GOLDEN_SEED = 20_260


def golden_clip() -> F32:
    """Return 2 s of speech for the self-test in every bundle: one voice, first neutral, then angry."""
    rng = np.random.default_rng(GOLDEN_SEED)
    voice = Voice.of(GOLDEN_SEED)
    return np.concatenate([synthesise(voice, emotion, 1.0, rng) for emotion in ("neutral", "angry")])


def write_corpus(
    directory: Path,
    speakers: int,
    emotions: Sequence[str],
    per_emotion: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `speakers` x `emotions` x `per_emotion` 16-bit WAV files and return the manifest's path.

    Files are `spk01/happy_03.wav`; clip n of every emotion says sentence n. Two speakers share a session.
    The manifest comes last, so that a corpus without one is known to be unfinished. `progress` is called
    with (files written, files in all). Raise SynthesisError for emotions without a style or counts below 1.
    """
    _check(speakers, emotions, per_emotion)
    (directory / MANIFEST).unlink(missing_ok=True)
    rows: list[tuple[str, ...]] = []
    total = speakers * len(emotions) * per_emotion
    for speaker in range(speakers):
        name = f"spk{speaker + 1:02d}"
        (directory / name).mkdir(parents=True, exist_ok=True)
        voice = Voice.of(seed * 1000 + speaker)
        session = str(speaker // SPEAKERS_PER_SESSION + 1)
        for emotion in emotions:
            for clip in range(per_emotion):
                rng = np.random.default_rng([seed, speaker, list(EMOTION_STYLES).index(emotion), clip])
                samples = synthesise(voice, emotion, rng.uniform(SHORTEST_S, LONGEST_S), rng, script=clip)
                path = f"{name}/{emotion}_{clip + 1:02d}.wav"
                write_wav(directory / path, samples)
                rows.append((path, name, emotion, f"s{clip + 1:02d}", session))
                if progress is not None:
                    progress(len(rows), total)
    return _write_manifest(directory / MANIFEST, rows)


def write_wav(path: Path, samples: F32) -> None:
    """Write float32 samples in -1..1 as a mono 16-bit WAV at 16 kHz; louder ones saturate."""
    path.write_bytes(audio.wav_bytes(samples))


def _check(speakers: int, emotions: Sequence[str], per_emotion: int) -> None:
    check_styles(emotions)
    if not emotions:
        raise SynthesisError(f"no emotions to speak; the synthetic voice has styles for {', '.join(EMOTION_STYLES)}")
    if min(speakers, per_emotion) < 1:
        raise SynthesisError(f"speakers is {speakers} and per_emotion {per_emotion}; both must be at least 1")


def _write_manifest(path: Path, rows: list[tuple[str, ...]]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode(), error=SynthesisError)
    return path
