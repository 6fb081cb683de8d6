"""Counts, durations, voices and pictures by emotion."""

from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.check import measure
from overtone_cloud.corpora.registry import read_corpus
from overtone_papers.common.exploration import PANELS, examples_per_label, exploration_part, voice, voices
from overtone_papers.common.study import Study

PNG = b"\x89PNG"


@pytest.fixture
def study(voices: Path, tmp_path: Path) -> Study:
    return Study(system="E", readings={"manifest": read_corpus(voices)}, parts=(), out=tmp_path, quick=True)


@pytest.mark.filterwarnings("error")
def test_every_picture_and_table_is_there(study: Study) -> None:
    part = exploration_part(study, kinds=tuple(PANELS), per_label=2)
    names = {Path(p.path).stem.removeprefix("manifest-") for p in part.pictures}
    assert names == {"counts", "durations", *PANELS}
    assert all((study.out / p.path).read_bytes().startswith(PNG) for p in part.pictures)
    durations, sounds = part.tables
    assert [row[1] for row in durations.rows] == ["neutral", "sad", "angry", "all"]
    assert durations.rows[-1][2] == 72
    assert [row[0] for row in sounds.rows] == ["neutral", "sad", "angry"]


def test_a_second_look_is_kept(study: Study) -> None:
    first = exploration_part(study)
    again = Study(system="E", readings=study.readings, parts=(), out=study.out, quick=True)
    assert exploration_part(again) == first
    assert again.kept_seconds


def test_examples_are_of_one_speaker_and_none_twice(study: Study) -> None:
    shown = examples_per_label(measure(study.readings["manifest"]), 2)
    assert [u.label for u in shown] == ["neutral"] * 2 + ["sad"] * 2 + ["angry"] * 2
    assert len({u.id for u in shown}) == 6
    assert len({u.speaker for u in shown}) == 1


def test_more_examples_than_there_are(study: Study) -> None:
    assert len(examples_per_label(measure(study.readings["manifest"]), 100)) == 72


def test_voice_measures_level_and_place_of_the_energy() -> None:
    times = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * hertz * times).astype(np.float32) for hertz in (500, 4000))
    assert voice(low)["level_dbfs"] == pytest.approx(-3.01, abs=0.01)
    assert voice(low / 10)["level_dbfs"] == pytest.approx(-23.01, abs=0.01)
    assert voice(low)["centroid_hz"] == pytest.approx(500, abs=5)
    assert voice(low)["high_share"] < 0.001
    assert voice(high)["high_share"] > 0.999
    swelling = low * np.linspace(0.05, 1, 16_000, dtype=np.float32)
    assert voice(swelling)["variation_db"] > voice(low)["variation_db"] + 3


def test_an_unreadable_utterance_is_left_out(study: Study, tmp_path: Path) -> None:
    reading = study.readings["manifest"]
    found = voices(reading, per_label=3)
    assert {label: found[label]["n"] for label in found} == {"neutral": 3, "sad": 3, "angry": 3}
