"""Ratings: the table by category, soft labels, what counts as right, oversampling, figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.labels import Affect, Emotion, temporary_emotion
from overtone_papers.valence.ratings import (
    accepted,
    counted_as,
    dimensions,
    expected,
    measure,
    oversampled,
    pearson,
    pooled,
    soft,
)


def utterance(**fields: Any) -> Utterance:
    return Utterance(**{"id": "a.wav", "path": Path("a.wav"), "corpus": "ravdess", "speaker": "01", **fields})


def test_a_half_is_shared_and_a_quarter_leans() -> None:
    made = soft(np.array([4.5, 4.25, 5.0, 1.0, 3.0]))
    assert made[0].tolist() == [0, 0, 0, 0.5, 0.5]
    assert made[1].tolist() == [0, 0, 0, 0.75, 0.25]
    assert made[2].tolist() == [0, 0, 0, 0, 1]
    assert made[3].tolist() == [1, 0, 0, 0, 0]
    assert made[4].tolist() == [0, 0, 1, 0, 0]
    assert np.allclose(expected(made), [4.5, 4.25, 5.0, 1.0, 3.0])


def test_an_even_split_accepts_either_class_and_pools_to_both() -> None:
    right = accepted(soft(np.array([3.5, 4.25, 4.5])))
    assert right.tolist() == [
        [False, False, True, True, False],
        [False, False, False, True, False],
        [False, False, False, True, True],
    ]
    assert pooled(right).tolist() == [[False, True, True], [False, False, True], [False, False, True]]


def test_a_sample_is_counted_under_its_right_answer_or_the_nearest_class() -> None:
    right = accepted(soft(np.array([3.5, 3.5, 3.5, 3.5, 1.0])))
    assert counted_as(right, np.array([2, 3, 0, 4, 4])).tolist() == [2, 3, 2, 3, 0]


def test_oversampling_keeps_every_sample_and_evens_the_classes() -> None:
    ratings = np.array([1.0] * 10 + [3.0] * 4 + [5.0])
    rows = oversampled(soft(ratings), np.random.default_rng(0))
    assert set(rows.tolist()) == set(range(15))
    assert [int((ratings[rows] == r).sum()) for r in (1, 3, 5)] == [10, 10, 10]


def test_perfect_answers_and_one_answer_for_all() -> None:
    ratings = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 5.0])
    perfect = measure(soft(ratings), ratings)
    assert (perfect["acc5"], perfect["acc3"], perfect["rho"]) == (1.0, 1.0, 1.0)
    lazy = measure(np.tile(soft(np.array([3.0])), (6, 1)), ratings)
    assert (lazy["acc5"], lazy["chance5"], lazy["rho"]) == (0.2, 0.2, 0.0)
    assert lazy["acc3"] == pytest.approx(lazy["chance3"], abs=1e-6)


def test_three_classes_come_from_pooling_five() -> None:
    ratings = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    swapped = soft(np.array([2.0, 1.0, 3.0, 5.0, 4.0]))
    figures = measure(swapped, ratings)
    assert figures["acc5"] == 0.2
    assert figures["acc3"] == 1.0


def test_pearson_is_numpys() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 50))
    assert pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_strong_emotions_lie_further_out_and_ratings_of_people_come_first() -> None:
    normal = dimensions(utterance(label="angry", intensity="normal"))
    strong = dimensions(utterance(label="angry", intensity="strong"))
    assert normal == dimensions(utterance(label="angry")) == (2.0, 4.0)
    assert strong == (1.0, 5.0)
    assert dimensions(utterance(label="angry", valence=4.5, activation=2.0)) == (4.5, 2.0)
    assert dimensions(utterance(valence=2.5, activation=2.0)) == (2.5, 2.0)
    assert dimensions(utterance()) is None
    assert dimensions(utterance(corpus="tess", corpus_label="ps", label="surprised")) == (4.0, 4.0)


def test_an_added_emotion_is_rated_by_its_row_in_the_table() -> None:
    affect = {"weak": Affect(3.5, 2.0), "normal": Affect(4.0, 2.0), "strong": Affect(4.5, 1.5)}
    with temporary_emotion(Emotion(name="relieved", colour="#0b6e4f", **affect)):
        for intensity, expected_point in (("low", "weak"), ("medium", "normal"), (None, "normal"), ("high", "strong")):
            point = dimensions(utterance(label="relieved", intensity=intensity))
            assert point == affect[expected_point]


def test_a_rating_on_another_scale_is_refused() -> None:
    assert dimensions(utterance(valence=5.5, activation=0.5)) == (5.0, 1.0)
    with pytest.raises(CorpusError, match=r"a\.wav: valence is 6\.8, limits are 1 and 5"):
        dimensions(utterance(valence=6.8, activation=2.0))
