"""Steps are kept under what they hang on, and done again when that changes."""

from pathlib import Path

import pytest

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_papers.catalogue import SYSTEMS, system, systems
from overtone_papers.common.study import Study
from overtone_papers.common.system import System


def reading(label: str = "sad") -> Reading:
    one = Utterance(id="a.wav", path=Path("a.wav"), corpus="tess", label=label, speaker="OAF")
    return Reading(corpus="tess", root=Path(), utterances=(one,))


def study(out: Path, label: str = "sad", *, quick: bool = False) -> Study:
    return Study(system="C", readings={"tess": reading(label)}, parts=("splits",), out=out, quick=quick)


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> dict[str, int]:
        self.done += 1
        return {"done": self.done}


def test_a_step_is_done_once(tmp_path: Path) -> None:
    work = Work()
    assert study(tmp_path).step("random seed 0", work, epochs=3) == {"done": 1}
    again = study(tmp_path)
    assert again.step("random seed 0", work, epochs=3) == {"done": 1}
    assert work.done == 1
    assert len(again.kept_seconds) == 1


def test_a_step_is_done_again_for_other_inputs_corpora_or_speed(tmp_path: Path) -> None:
    work = Work()
    study(tmp_path).step("random", work, epochs=3)
    study(tmp_path).step("random", work, epochs=4)
    study(tmp_path, "angry").step("random", work, epochs=4)
    study(tmp_path, "angry", quick=True).step("random", work, epochs=4)
    assert work.done == 4


def test_a_step_is_done_again_without_the_files_it_makes(tmp_path: Path) -> None:
    work, made = Work(), tmp_path / "picture.png"
    made.write_bytes(b"")
    study(tmp_path).step("curves", work, makes=[made])
    study(tmp_path).step("curves", work, makes=[made])
    assert work.done == 1
    made.unlink()
    study(tmp_path).step("curves", work, makes=[made])
    assert work.done == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"key": "x"}'])
def test_a_damaged_step_is_done_again(tmp_path: Path, damage: bytes) -> None:
    work = Work()
    study(tmp_path).step("random", work)
    (kept,) = (tmp_path / "steps").iterdir()
    kept.write_bytes(damage)
    assert study(tmp_path).step("random", work) == {"done": 2}


def test_an_interrupted_step_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path).step("random", interrupted)
    assert not (tmp_path / "steps").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "networks").write_text("")
    with pytest.raises(TrainingError, match="cannot be made"):
        study(tmp_path).folder("networks")


def test_systems_are_found_by_letter_in_either_case() -> None:
    assert system("c").letter == "C"
    with pytest.raises(ConfigError, match="there is no system 'F'; there are A, B, C, D, E"):
        system("F")


def test_a_missing_library_breaks_no_other_system() -> None:
    def lacking() -> System:
        raise ModuleNotFoundError("no library", name="keras_tuner")

    there = systems({"C": SYSTEMS["C"], "X": lacking})
    assert isinstance(there["C"], System)
    assert there["X"] == "system X: the library keras_tuner is not installed; pip install 'overtone[papers]'"


@pytest.mark.parametrize("letter", list(SYSTEMS))
def test_every_system_says_what_it_is(letter: str) -> None:
    found = system(letter)
    assert found.letter == letter
    assert found.title
    assert found.parts
    assert found.chosen(found.parts[0]) == (found.parts[0],)
    assert all(meaning for meaning, _ in found.options.values())
    with pytest.raises(ConfigError, match=f"system {letter} has no part 'nothing'"):
        found.chosen("nothing")
