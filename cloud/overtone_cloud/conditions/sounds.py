"""Everyday sounds (ESC-10), split into a half for training (as noise) and one for tests alone."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.files import find_audio
from overtone_cloud.errors import AudioError, CorpusError
from overtone_models.front_end import F32

TEST_BYTE, CALIBRATION_BYTE = 0, 1
CALIBRATION_OF = 4
MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """A folder's two halves, as paths sorted by name.

    `calibration` are those of the first half that are left out of training: they set the decision threshold. Where the
    half is too small to set any aside, it is all of them.
    """

    folder: Path
    training: tuple[Path, ...]
    calibration: tuple[Path, ...]
    test: tuple[Path, ...]


def sound_halves(folder: Path) -> Sounds:
    """Return the halves of the sound files below `folder`; raise CorpusError where one is empty or a file is no sound.

    A clip's half follows from the recording it was cut from, by a hash, so that it never changes when others come
    or go, and so that two clips of one recording (ESC's `1-28135-A` and `1-28135-B`) are in the same half.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder of sounds")
    paths = [folder / name for name in find_audio(folder)]
    half, test = (tuple(p for p in paths if is_test(p.stem) == wanted) for wanted in (False, True))
    if not half or not test:
        raise CorpusError(f"{folder}: {len(paths)} sounds are too few for a training and a test half")
    check_sounds(paths)
    calibration = tuple(p for p in half if draw(_source(p.stem), CALIBRATION_BYTE) % CALIBRATION_OF == 0)
    trained = tuple(p for p in half if p not in calibration)
    if not calibration or not trained:
        calibration = trained = half
    return Sounds(folder=folder, training=trained, calibration=calibration, test=test)


def check_sounds(paths: Sequence[Path]) -> None:
    """Raise CorpusError, which names them, where files cannot be decoded, before a long training begins."""
    bad = []
    for path in paths:
        try:
            audio.check(path)
        except AudioError as error:
            bad.append(str(error))
    if bad:
        more = f" and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        raise CorpusError(f"{len(bad)} of {len(paths)} sounds cannot be decoded: {'; '.join(bad[:MOST_NAMED])}{more}")


def is_test(stem: str) -> bool:
    """Return whether the clip of this name, without its ending, is in the test half."""
    return draw(_source(stem), TEST_BYTE) % 2 == 1


def draw(name: str, byte: int) -> int:
    """Return 0..255 from the hash of a name; another byte is another draw."""
    return hashlib.sha256(name.encode()).digest()[byte]


def _source(stem: str) -> str:
    """Return the recording that a clip was cut from."""
    parts = stem.split("-")
    return "-".join(parts[:2]) if len(parts) >= 3 else stem


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
    """Return a sound at 16 kHz, kept in memory: noise is taken from the same few files again and again.

    Raises CorpusError, since an AudioError would be attributed to the recording that the noise is added to.
    """
    try:
        return audio.load(path)
    except AudioError as error:
        raise CorpusError(f"noise: {error}") from error
