"""Speakers of read speech are divided once and for all; one half may train as neutral."""

import shutil
from pathlib import Path

import pytest

from overtone_cloud.conditions.read_speech import as_neutral, is_test, read_speech, speaker_of
from overtone_cloud.errors import CorpusError


@pytest.fixture
def reading(sounds: Path, tmp_path: Path) -> Path:
    """Two recordings of each of twelve speakers, named as LibriSpeech's."""
    folder = tmp_path / "read"
    for speaker in range(12):
        for chapter in (5, 6):
            path = folder / str(speaker) / f"{speaker}-{chapter}-0000.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(next(sounds.iterdir()), path)
    return folder


def test_a_speaker_is_in_one_half(reading: Path) -> None:
    halves = read_speech(reading)
    assert len(halves.training) + len(halves.test) == 24
    assert not {speaker_of(p) for p in halves.training} & {speaker_of(p) for p in halves.test}
    shutil.rmtree(reading / speaker_of(halves.test[0]))
    assert read_speech(reading).training == halves.training


def test_halves_are_of_a_size() -> None:
    assert 400 <= sum(is_test(Path(f"{speaker}-1-0000.flac")) for speaker in range(1000)) <= 600


def test_what_trains_is_neutral_and_of_a_speaker_of_its_own() -> None:
    utterance = as_neutral(Path("a/103-1240-0007.flac"))
    assert (utterance.label, utterance.speaker, utterance.id) == ("neutral", "read/103", "read/103-1240-0007")


def test_folders_without_two_halves_or_with_no_sound_are_refused(reading: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere: no such folder of read speech"):
        read_speech(tmp_path / "nowhere")
    for path in read_speech(reading).test:
        path.unlink()
    with pytest.raises(CorpusError, match=r"the speakers of \d+ recordings are too few"):
        read_speech(reading)
    (reading / "1-1-0001.wav").write_text("no sound")
    (reading / "2-1-0001.wav").write_text("no sound")
    for speaker in range(100, 130):
        (reading / f"{speaker}-1-0001.wav").write_text("no sound")
    with pytest.raises(CorpusError, match=r"32 of \d+ sounds cannot be decoded"):
        read_speech(reading)


@pytest.mark.data
def test_librispeech_gives_two_halves(speech_data: Path) -> None:
    halves = read_speech(speech_data / "librispeech")
    assert len(halves.training) + len(halves.test) == 110
    assert 40 <= len(halves.test) <= 70
