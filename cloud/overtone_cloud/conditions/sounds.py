"""Everyday sounds (ESC-10), divided once into a half that trainings may use as noise and one that only tests use."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from overtone_cloud import audio
from overtone_cloud.corpora.base import find_audio
from overtone_cloud.errors import CorpusError
from overtone_models.front_end import F32


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """A folder's two halves, as paths sorted by name."""

    folder: Path
    training: tuple[Path, ...]
    test: tuple[Path, ...]


def sound_halves(folder: Path) -> Sounds:
    """Return the halves of the sound files below `folder`; raise CorpusError where one of them is empty.

    A clip's half follows from the recording it was cut from, by a hash, so that it never changes when others come
    or go, and so that two clips of one recording (ESC's `1-28135-A` and `1-28135-B`) are in the same half.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder of sounds")
    paths = [folder / name for name in find_audio(folder)]
    halves = Sounds(
        folder=folder,
        training=tuple(p for p in paths if not is_test(p.stem)),
        test=tuple(p for p in paths if is_test(p.stem)),
    )
    if not halves.training or not halves.test:
        raise CorpusError(f"{folder}: {len(paths)} sounds are too few for a training and a test half")
    return halves


def is_test(stem: str) -> bool:
    """Return whether the clip of this name, without its ending, is in the test half."""
    parts = stem.split("-")
    source = "-".join(parts[:2]) if len(parts) >= 3 else stem
    return hashlib.sha256(source.encode()).digest()[0] % 2 == 1


def content_digest(paths: Sequence[Path]) -> str:
    """Return a SHA-256 over the files' contents, in their order; raise CorpusError for one that cannot be read."""
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise CorpusError(f"{path}: {error.strerror or error}") from error
    return whole.hexdigest()


@lru_cache(maxsize=256)
def sound(path: Path) -> F32:
    """Return a sound at 16 kHz, kept in memory: noise is taken from the same few files again and again."""
    return audio.load(path)
