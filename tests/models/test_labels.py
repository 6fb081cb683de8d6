"""Labels: one table of emotions, found by any spelling."""

import re
from dataclasses import replace

import pytest

from overtone_models.errors import LabelError
from overtone_models.labels import EMOTIONS, Affect, Emotion, canonical_label, ordered, temporary_emotion


def relieved(**changes: object) -> Emotion:
    middle = Affect(4.0, 2.0)
    emotion = Emotion(
        name="relieved", synonyms=("relief",), colour="#112233", weak=middle, normal=middle, strong=middle
    )
    return replace(emotion, **changes)


def test_each_spelling_is_lower_case_and_of_one_emotion() -> None:
    spellings = [spelling for emotion in EMOTIONS.values() for spelling in emotion.spellings]
    assert len(set(spellings)) == len(spellings)
    assert all(spelling == spelling.strip().lower() for spelling in spellings)
    assert all(name == emotion.name for name, emotion in EMOTIONS.items())


def test_colours_differ_and_affect_is_on_the_scale() -> None:
    colours = [emotion.colour for emotion in EMOTIONS.values()]
    assert len(set(colours)) == len(colours)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    points = [point for emotion in EMOTIONS.values() for point in (emotion.weak, emotion.normal, emotion.strong)]
    assert all(1.0 <= value <= 5.0 for point in points for value in point)


def test_an_emotion_can_be_added_for_a_while() -> None:
    before = tuple(EMOTIONS)
    with temporary_emotion(relieved()):
        assert tuple(EMOTIONS) == (*before, "relieved")
        assert canonical_label("Relief") == "relieved"
        assert ordered({"relieved", "sad"}) == ("sad", "relieved")
    assert tuple(EMOTIONS) == before
    with pytest.raises(LabelError, match="unknown label 'relief'"):
        canonical_label("relief")


@pytest.mark.parametrize("changes", [{"name": "happy"}, {"synonyms": ("joy",)}, {"name": "afraid"}])
def test_a_spelling_of_another_emotion_is_refused(changes: dict[str, object]) -> None:
    before = tuple(EMOTIONS)
    with pytest.raises(LabelError, match="another emotion is spelt"), temporary_emotion(relieved(**changes)):
        pytest.fail("added")
    assert tuple(EMOTIONS) == before


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("happy", "happy"),
        (" Happiness ", "happy"),
        ("EXCITEMENT", "happy"),
        ("pleasant surprise", "surprised"),
        ("calm", "calm"),
    ],
)
def test_everyday_spellings(text: str, label: str) -> None:
    assert canonical_label(text) == label


@pytest.mark.parametrize("text", ["", "hungry", "happy!"])
def test_unknown_spelling_names_what_is_known(text: str) -> None:
    with pytest.raises(LabelError, match=r"unknown label .*known labels are neutral, calm"):
        canonical_label(text)


def test_ordered_keeps_the_projects_order() -> None:
    assert ordered({"sad", "neutral", "angry"}) == ("neutral", "sad", "angry")
