"""What is reported of a classifier, against figures computed by hand and by scikit-learn."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_cloud.training.metrics import scores


def certain(predicted: list[int], classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[predicted] * 0.8 + 0.2 / classes


def test_by_hand() -> None:
    targets = np.array([0, 0, 0, 0, 1, 1, 2])
    found = scores(certain([0, 0, 0, 1, 1, 0, 1], 3), targets, ("a", "b", "c"), list("xxyyxyx"), threshold=0.5)
    assert found.uar == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert found.accuracy == pytest.approx(4 / 7)
    assert found.macro_f1 == pytest.approx((3 / 4 + 2 / 5 + 0) / 3)
    np.testing.assert_array_equal(found.confusion, [[3, 1, 0], [1, 1, 0], [0, 1, 0]])
    assert found.per_speaker["x"] == pytest.approx((1 + 1 + 0) / 3)
    assert found.per_speaker["y"] == pytest.approx((1 / 2 + 0) / 2)
    assert (found.decided, found.accuracy_when_decided) == (1.0, pytest.approx(4 / 7))


def test_no_decision_below_the_threshold() -> None:
    probabilities = np.array([[0.9, 0.1], [0.55, 0.45], [0.2, 0.8]], np.float32)
    found = scores(probabilities, np.array([0, 1, 1]), ("a", "b"), ["x"] * 3, threshold=0.6)
    assert found.decided == pytest.approx(2 / 3)
    assert found.accuracy_when_decided == 1.0
    none = scores(probabilities, np.array([0, 1, 1]), ("a", "b"), ["x"] * 3, threshold=0.95)
    assert (none.decided, none.accuracy_when_decided) == (0.0, 0.0)


def test_classes_that_do_not_occur_do_not_count() -> None:
    found = scores(certain([0, 1], 4), np.array([0, 1]), tuple("abcd"), ["x", "x"])
    assert found.uar == 1.0
    assert found.macro_f1 == 1.0
    row = found.to_json()["per_class"]["d"]
    assert row == {"recall": None, "precision": None, "utterances": 0}
    json.dumps(found.to_json(), allow_nan=False)


@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_equal_to_scikit_learn(classes: int, n: int, seed: int) -> None:
    from sklearn.metrics import confusion_matrix as theirs
    from sklearn.metrics import f1_score, recall_score

    rng = np.random.default_rng(seed)
    targets, probabilities = rng.integers(0, classes, n), rng.dirichlet(np.ones(classes), n).astype(np.float32)
    predicted, there = probabilities.argmax(1), np.unique(targets)
    found = scores(probabilities, targets, [str(c) for c in range(classes)], ["x"] * n)
    np.testing.assert_array_equal(found.confusion, theirs(targets, predicted, labels=range(classes)))
    common = {"labels": there, "average": "macro", "zero_division": 0}
    assert found.uar == pytest.approx(recall_score(targets, predicted, **common))
    assert found.macro_f1 == pytest.approx(f1_score(targets, predicted, **common))
