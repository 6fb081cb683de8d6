"""Read speech without emotion (LibriSpeech): half of the speakers may train as neutral, the others only test."""

from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.conditions.sounds import TEST_BYTE, check_sounds, draw
from overtone_cloud.corpora.files import find_audio
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError

LABEL = "neutral"


@dataclass(frozen=True, kw_only=True)
class ReadSpeech:
    """A folder's recordings of either half of the speakers, as paths sorted by name."""

    folder: Path
    training: tuple[Path, ...]
    test: tuple[Path, ...]


def read_speech(folder: Path) -> ReadSpeech:
    """Return the halves of the recordings below `folder`; raise CorpusError where one is empty or a file is no sound.

    A speaker's half follows from the name by a hash, so that it never changes when others come or go.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder of read speech")
    paths = [folder / name for name in find_audio(folder)]
    check_sounds(paths)
    training, test = (tuple(p for p in paths if is_test(p) == wanted) for wanted in (False, True))
    if not training or not test:
        raise CorpusError(
            f"{folder}: the speakers of {len(paths)} recordings are too few for a training and a test half"
        )
    return ReadSpeech(folder=folder, training=training, test=test)


def is_test(path: Path) -> bool:
    """Return whether the recording's speaker is one of the test half."""
    return draw(speaker_of(path), TEST_BYTE) % 2 == 1


def speaker_of(path: Path) -> str:
    """Return the speaker: the first part of LibriSpeech's `103-1240-0000`, another name as a whole."""
    return path.stem.split("-")[0]


def as_neutral(path: Path) -> Utterance:
    """Return the recording as a training takes it."""
    speaker = f"read/{speaker_of(path)}"
    return Utterance(id=f"read/{path.stem}", path=path, corpus="read speech", label=LABEL, speaker=speaker)
