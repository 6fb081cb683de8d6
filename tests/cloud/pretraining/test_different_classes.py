"""Pretraining on corpora with different classes: each gives what it has, and the card says what each lacks."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.split_file import load_split
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import ConfigError, CorpusError
from overtone_cloud.pretraining.card import card
from overtone_cloud.pretraining.joint_corpus import classes_to_train, join
from overtone_models.bundle import read_bundle

Overtone = Callable[..., tuple[int, str, str]]
ALL_OF_THEM = ("neutral", "sad", "angry")


@pytest.fixture
def readings(corpora: tuple[str, ...]) -> dict[str, Reading]:
    """Six speakers with neutral, sad and angry, and two of them with sad and angry."""
    named = dict(word.split("=") for word in corpora[1::2])
    return {name: read_corpus(Path(path), name) for name, path in named.items()}


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        ("common", ("sad", "angry")),
        ("all", ALL_OF_THEM),
        ("angry,neutral", ("neutral", "angry")),
        ("Anger, sadness,sad", ("sad", "angry")),
    ],
)
def test_which_classes_train(readings: dict[str, Reading], classes: str, labels: tuple[str, ...]) -> None:
    assert classes_to_train(readings, classes) == labels
    joined = join(readings, labels)
    assert {u.label for u in joined.utterances} == set(labels)


def test_each_corpus_gives_what_it_has(readings: dict[str, Reading]) -> None:
    joined = join(readings, ALL_OF_THEM)
    counts = Counter((str(u.speaker).split("/")[0], u.label) for u in joined.utterances)
    assert counts == {
        ("manifest", "neutral"): 24,
        ("manifest", "sad"): 24,
        ("manifest", "angry"): 24,
        ("folders", "sad"): 8,
        ("folders", "angry"): 8,
    }


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        ("hungry,sad", "--classes hungry,sad: unknown label 'hungry'"),
        ("sad,bored", "--classes sad,bored: no corpus has bored; there are neutral, sad, angry"),
        ("sad", "--classes sad: 1 classes, one model needs at least 2"),
        (",", "0 classes, one model needs at least 2"),
    ],
)
def test_classes_that_cannot_be_are_one_line(readings: dict[str, Reading], classes: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        classes_to_train(readings, classes)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_corpus_that_has_none_of_them_is_named(readings: dict[str, Reading], voices: Path) -> None:
    neutral = tuple(u for u in readings["manifest"].utterances if u.label == "neutral")
    calm = {**readings, "manifest": Reading(corpus="manifest", root=voices, utterances=neutral)}
    with pytest.raises(CorpusError, match="0 classes in common"):
        classes_to_train(calm, "common")
    with pytest.raises(ConfigError, match=r"manifest has none of them \(neutral\)"):
        classes_to_train(calm, "sad,angry")
    assert classes_to_train(calm, "all") == ALL_OF_THEM


def test_a_model_of_all_classes_is_trained_and_described(
    overtone: Overtone, corpora: tuple[str, ...], settings: Path, cache: Path, tmp_path: Path
) -> None:
    words = ("pretrain", *corpora, "--settings", settings, "--work", tmp_path / "work", "--cache", cache)
    status, _, err = overtone(*words, "--classes", "all", "--name", "wide", "--out", tmp_path)
    assert status == 0, err
    assert "left out" not in err
    made = tmp_path / "wide"
    assert read_bundle((made / "wide.bundle").read_bytes()).manifest.labels == ALL_OF_THEM
    fold = load_split(made / "split.json").folds[0]
    assert len(fold.train) + len(fold.test) == 6 * 3 * 4 + 2 * 2 * 4
    facts = json.loads((made / "card.json").read_text())
    assert facts["corpora"]["folders"]["classes"] == ["sad", "angry"]
    text = (made / "MODEL_CARD.md").read_text()
    assert text == card(facts)
    assert "each corpus giving the classes that it has: folders no neutral." in text
    assert "--classes all" in text
    # The model's own check finds its inner speakers again, with the classes that the bundle has.
    status, _, err = overtone("verify", made / "wide.bundle", *corpora, "--cache", cache)
    assert status == 0, err
    status, _, err = overtone(*words, "--name", "narrow", "--out", tmp_path)
    assert status == 1
    assert "holds a training of other corpora" in err


def test_what_is_left_out_is_said(overtone: Overtone, order: list[str], made: Path, tmp_path: Path) -> None:
    status, _, err = overtone(*order, "--name", "tiny", "--out", tmp_path)
    assert status == 0
    assert "left out: neutral (--classes takes classes that not every corpus has)" in err
