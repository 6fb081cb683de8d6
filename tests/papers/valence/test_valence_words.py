"""Word times of IEMOCAP's alignment and of CTM files, and the crops centred on them."""

from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.errors import CorpusError
from overtone_papers.valence.data import SCALER, packed, word_spots
from overtone_papers.valence.words import parse_alignment, parse_ctm, word_times

ALIGNMENT = """\
\t SFrm\t EFrm\t   SegAScr\tWord
\t    0\t   46\t    -43133\t<s>
\t   47\t   63\t   -246542\tEXCUSE(2)
\t   64\t   91\t   -281163\tME
\t   92\t   99\t    -11111\t++BREATHING++
\t  100\t  192\t   -160107\t</s>
 Total score:      -731000
"""


def feature(frames: int, voiced: tuple[int, ...]) -> np.ndarray:
    made = np.full((129, frames), -80.0, np.float32)
    made[:-1] += np.arange(frames) * 80.0 / frames
    made[-1] = 0.0
    made[-1, list(voiced)] = 1.0
    return made


def test_alignment_gives_words_without_pauses_and_breath() -> None:
    assert np.allclose(parse_alignment(ALIGNMENT), [(0.47, 0.64), (0.64, 0.92)])


def test_alignment_is_found_in_iemocaps_folders(tmp_path: Path) -> None:
    sentences = tmp_path / "Session1" / "sentences"
    recording = sentences / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F000.wav"
    alignment = sentences / "ForcedAlignment" / "Ses01F_impro01" / "Ses01F_impro01_F000.wdseg"
    alignment.parent.mkdir(parents=True)
    alignment.write_text(ALIGNMENT)
    assert len(word_times(recording)) == 2
    assert word_times(recording.with_name("Ses01F_impro01_F001.wav")) == []


def test_ctm_beside_a_recording_and_what_is_wrong_with_one(tmp_path: Path) -> None:
    (tmp_path / "a.ctm").write_text(";; made by hand\na 1 0.5 0.25 hello 0.9\na 1 1.0 0.5 world\n")
    assert word_times(tmp_path / "a.wav") == [(0.5, 0.75), (1.0, 1.5)]
    with pytest.raises(CorpusError, match=r"b\.ctm: line 2 has no begin and duration"):
        parse_ctm("a 1 0 1 x\na 1 zero 1 y\n", "b.ctm")
    with pytest.raises(CorpusError, match="must not be negative"):
        parse_ctm("a 1 -1 1 x\n")


def test_words_become_frames_within_the_recording() -> None:
    spots = word_spots([(0.0, 0.16), (1.0, 9.0), (5.0, 6.0)], 100)
    assert spots.tolist() == [[0, 10], [62, 99]]


def test_crops_are_centred_on_words_else_on_voice() -> None:
    generator = np.random.default_rng(0)
    spoken = packed(feature(400, (20, 21)), [(4.0, 4.016)])
    assert spoken.by_words
    middle = spoken.crop(64, generator)[0]
    assert middle[32] * 40 - 40 == pytest.approx(-80 + 250 * 0.2, abs=0.5)
    silent = packed(feature(400, (100,)), [])
    assert not silent.by_words
    assert silent.crop(64, generator)[0][32] * 40 - 40 == pytest.approx(-60.0, abs=0.5)


def test_short_recordings_are_filled_with_silence_and_scaled_to_one() -> None:
    recording = packed(feature(30, (15,)), [])
    crop = recording.crop(64, np.random.default_rng(0))
    assert crop.shape == (128, 64)
    assert crop[0, 0] == crop[0, -1] == -1.0
    assert SCALER(np.array([0.0, -40.0, -80.0], np.float32)).tolist() == [1.0, 0.0, -1.0]
