"""Everyday sounds are divided once and for all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.conditions.conditioned_features import ConditionedSpec
from overtone_cloud.conditions.conditions import Noise
from overtone_cloud.conditions.sounds import content_digest, is_test, sound, sound_halves
from overtone_cloud.errors import CorpusError
from overtone_cloud.features.computation import compute_file
from overtone_models.features.gated_log_mel import GatedLogMelSpec


def test_halves_are_apart_and_whole(sounds: Path) -> None:
    halves = sound_halves(sounds)
    assert not (set(halves.training) | set(halves.calibration)) & set(halves.test)
    assert set(halves.training) | set(halves.calibration) | set(halves.test) == set(sounds.iterdir())


def test_clips_of_one_recording_are_in_one_half() -> None:
    assert all(is_test(f"1-{n}-A") == is_test(f"1-{n}-B") == is_test(f"1-{n}-C-0") for n in range(200))
    assert 60 <= sum(is_test(f"1-{n}-A") for n in range(200)) <= 140


def test_a_clips_half_does_not_hang_on_the_others(sounds: Path, tmp_path: Path) -> None:
    halves = sound_halves(sounds)
    for path in (halves.training[0], *halves.test):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert [p.name for p in sound_halves(tmp_path).test] == [p.name for p in halves.test]


def test_some_sounds_are_kept_from_training_where_there_are_enough(sounds: Path, tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"1-{number}-A.wav").write_bytes(next(sounds.iterdir()).read_bytes())
    halves = sound_halves(tmp_path)
    assert not set(halves.training) & set(halves.calibration)
    assert 0 < len(halves.calibration) < len(halves.training)
    for path in (*halves.training, *halves.calibration[1:]):
        path.unlink()
    alone = sound_halves(tmp_path)
    assert alone.training == alone.calibration == halves.calibration[:1]


@pytest.mark.data
def test_esc10_gives_two_halves_of_every_kind(speech_data: Path) -> None:
    halves = sound_halves(speech_data / "esc10")
    kinds = {path.parent.name for path in halves.training + halves.test}
    assert len(kinds) == 10
    assert not set(halves.training) & set(halves.calibration)
    for half in (halves.training + halves.calibration, halves.test):
        assert {path.parent.name for path in half} == kinds
        assert 35 <= len(half) <= 65
    assert len(halves.calibration) >= 6


def test_folders_without_two_halves_are_refused(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder of sounds"):
        sound_halves(tmp_path / "nowhere")
    one = sound_halves(sounds).test[0]
    (tmp_path / one.name).write_bytes(one.read_bytes())
    with pytest.raises(CorpusError, match="1 sounds are too few"):
        sound_halves(tmp_path)
    with pytest.raises(CorpusError, match="nowhere"):
        content_digest([tmp_path / "nowhere.wav"])


def test_sounds_that_cannot_be_heard_are_named_at_once(sounds: Path, tmp_path: Path) -> None:
    shutil.copytree(sounds, tmp_path, dirs_exist_ok=True)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    soundfile.write(tmp_path / "long.wav", np.zeros(4_000 * 601, np.float32), 4_000)
    with pytest.raises(CorpusError, match="2 of 10 sounds cannot be decoded") as caught:
        sound_halves(tmp_path)
    assert "broken.wav: not a recording that can be read" in str(caught.value)
    assert "long.wav: lasts 601.0 s, limit is 600 s" in str(caught.value)


def test_many_bad_sounds_are_counted(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"1-{number}-A.wav").touch()
    with pytest.raises(CorpusError, match=r"9 of 9 sounds cannot be decoded: .* and 4 more"):
        sound_halves(tmp_path)


def test_a_broken_sound_is_no_fault_of_the_recording_under_it(voices: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    with pytest.raises(CorpusError, match=r"noise: .*broken\.wav"):
        sound(broken)
    spec = ConditionedSpec(inner=GatedLogMelSpec(), condition=Noise(sounds=(broken,)))
    with pytest.raises(CorpusError, match=r"noise: .*broken\.wav"):
        compute_file(voices / "spk01" / "angry_01.wav", spec)
