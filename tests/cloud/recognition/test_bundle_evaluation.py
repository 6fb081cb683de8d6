"""Which recordings of a corpus a bundle is measured on, and the figures that follow from a device's answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.bundles import committed_bundles

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.recognition.bundle_evaluation import BundleEvaluation, EvaluationData, evaluation_data
from overtone_cloud.recognition.predictions import Predictions
from overtone_models.bundle import Bundle, read_bundle

LABELS = ("neutral", "happy", "sad", "angry")


def reading(*rows: tuple[str | None, str | None]) -> Reading:
    """Return a corpus with one utterance for each label and speaker."""
    utterances = tuple(
        Utterance(id=f"{n}.wav", path=Path(f"{n}.wav"), corpus="made", label=label, speaker=speaker)
        for n, (label, speaker) in enumerate(rows)
    )
    return Reading(corpus="made", root=Path("made"), utterances=utterances)


def test_classes_are_intersected_and_the_rest_is_counted() -> None:
    corpus = reading(("sad", "a"), ("bored", "a"), ("bored", "b"), ("neutral", "b"), ("surprised", "a"), (None, "a"))
    data = evaluation_data(corpus, LABELS)
    assert data.labels == ("neutral", "sad")
    assert [u.label for u in data.utterances] == ["sad", "neutral"]
    assert data.corpus_only == {"surprised": 1, "bored": 2}


def test_a_limit_holds_for_each_class_and_draws_the_same_again() -> None:
    corpus = reading(*[("sad", "a")] * 20, *[("neutral", "b")] * 3, *[("angry", "a")] * 9)
    ids = [[u.id for u in evaluation_data(corpus, LABELS, limit=5).utterances] for _ in range(2)]
    assert ids[0] == ids[1]
    chosen = evaluation_data(corpus, LABELS, limit=5).utterances
    assert [sum(u.label == label for u in chosen) for label in LABELS] == [3, 0, 5, 5]
    assert [u.id for u in chosen] == sorted((u.id for u in chosen), key=lambda i: int(i.split(".")[0]))


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([(None, "a"), (None, "b")], "none of 2 utterances has a label"),
        ([("sad", "a"), ("sad", "b")], "has one class, sad: a UAR needs at least 2"),
        (
            [("bored", "a"), ("calm", "b")],
            "(calm, bored) and the model (neutral, happy, sad, angry) have no class",
        ),
        ([("bored", "a"), ("sad", "b")], "have one class (sad) in common: a UAR needs at least 2"),
    ],
)
def test_too_few_classes_are_one_line(rows: list[tuple[str | None, str | None]], text: str) -> None:
    with pytest.raises(CorpusError) as caught:
        evaluation_data(reading(*rows), LABELS)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    made = read_bundle(committed_bundles()["tiny-1"])
    return replace(made, manifest=replace(made.manifest, lineage={"training_data": "emodb, made"}))


@pytest.fixture
def evaluation(bundle: Bundle) -> BundleEvaluation:
    """Six recordings of neutral and sad speech by two speakers, of which one was not heard and one is undecided."""
    said = np.array(
        [
            [0.9, 0.0, 0.05, 0.05],  # neutral: right
            [0.1, 0.0, 0.2, 0.7],  # neutral: taken for angry, which the corpus does not have
            [0.45, 0.05, 0.25, 0.25],  # neutral: right, but not decided
            [0.1, 0.05, 0.8, 0.05],  # sad: right
            [0.8, 0.0, 0.1, 0.1],  # sad: taken for neutral
            [0.0, 0.0, 0.0, 0.0],  # sad: not heard
        ],
        np.float32,
    )
    targets = np.array([0, 0, 0, 2, 2, 2], np.int64)
    return BundleEvaluation(
        corpus="made",
        bundle=bundle,
        data=EvaluationData(utterances=(), labels=("neutral", "sad"), corpus_only={"bored": 4}),
        answers=Predictions(
            LABELS, tuple("abcdef"), ("x", "x", "y", "x", "y", "y"), targets, said, np.full(6, 0.5, np.float32)
        ),
        decided=np.array([True, True, False, True, True, False]),
        skipped=("g.wav",),
    )


def test_the_figures_follow_from_the_answers(evaluation: BundleEvaluation) -> None:
    found = evaluation.to_json()
    assert (found["utterances"], found["unheard"], found["skipped"]) == (6, 1, ["g.wav"])
    assert found["uar"] == round(1 / 3, 4)
    assert found["uar_of_decided"] == 0.5
    assert found["uar_of_likeliest"] == round((2 / 3 + 1 / 3) / 2, 4)
    assert (found["coverage"], found["right_of_decided"]) == (round(4 / 6, 4), 0.5)
    assert found["chance"] == 0.5
    assert found["classes_of_the_corpus_only"] == {"bored": 4}
    assert found["answers_of_the_model_only"] == {"happy": 0, "angry": 1}
    assert found["confusion"] == {
        "columns": ["neutral", "happy", "sad", "angry", "no decision"],
        "rows": {"neutral": [1, 0, 0, 1, 1], "sad": [1, 0, 1, 0, 1]},
    }
    assert found["answers"] == {"neutral": 2, "happy": 0, "sad": 1, "angry": 1, "no decision": 2}
    assert found["neutral_taken_for"] == {"neutral": 1, "happy": 0, "sad": 0, "angry": 1, "no decision": 1}
    assert found["per_class"]["sad"] == {
        "utterances": 3,
        "recall": round(1 / 3, 4),
        "recall_of_likeliest": round(1 / 3, 4),
        "coverage": round(2 / 3, 4),
        "right_of_decided": 0.5,
    }
    assert found["per_speaker"]["x"] == {
        "utterances": 3,
        "uar": 0.75,
        "coverage": 1.0,
        "right_of_decided": round(2 / 3, 4),
    }
    assert found["bundle"]["trained_on_this_corpus"]


def test_nothing_decided_has_no_share_of_it(evaluation: BundleEvaluation) -> None:
    found = replace(evaluation, decided=np.zeros(6, bool)).to_json()
    assert (found["uar"], found["coverage"]) == (0.0, 0.0)
    assert (found["uar_of_decided"], found["right_of_decided"]) == (None, None)
    assert found["uar_of_likeliest"] == 0.5


def test_unknown_speakers_are_no_speaker(evaluation: BundleEvaluation) -> None:
    nameless = replace(evaluation, answers=replace(evaluation.answers, speakers=("unknown",) * 6))
    assert nameless.to_json()["per_speaker"] == {}
    some = replace(evaluation, answers=replace(evaluation.answers, speakers=("x", *("unknown",) * 5)))
    assert set(some.to_json()["per_speaker"]) == {"x", "unknown"}
