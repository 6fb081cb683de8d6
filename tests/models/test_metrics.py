"""Metrics of predicted classes, against figures computed by hand and against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_models.metrics import (
    average_recall,
    confusion_matrix,
    f1_scores,
    log_loss,
    macro_f1,
    precisions,
    recalls,
    unweighted_average_recall,
)


def test_a_class_that_does_not_occur_does_not_count() -> None:
    confusion = confusion_matrix(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), 4)
    np.testing.assert_array_equal(confusion, [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(recalls(confusion), [0.5, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(precisions(confusion), [1.0, 0.5, 0.0, np.nan])
    np.testing.assert_allclose(f1_scores(confusion), [2 / 3, 0.5, 0.0, np.nan])
    assert average_recall(confusion) == 0.5
    assert macro_f1(confusion) == pytest.approx((2 / 3 + 0.5) / 2)
    assert unweighted_average_recall(np.array([0, 1, 1]), np.array([0, 0, 1]), 3) == 0.75


def test_no_targets_have_no_average() -> None:
    nothing = np.zeros(0, np.int64)
    assert math.isnan(unweighted_average_recall(nothing, nothing, 3))


@given(st.integers(2, 9), st.integers(1, 60), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_uar_is_the_mean_over_classes_of_the_share_recognised(classes: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets, predicted = rng.integers(0, classes, n), rng.integers(0, classes, n)
    shares = [(predicted[targets == c] == c).mean() for c in np.unique(targets)]
    assert unweighted_average_recall(predicted, targets, classes) == pytest.approx(np.mean(shares), abs=1e-15)
    assert unweighted_average_recall(predicted, targets, classes + 3) == pytest.approx(np.mean(shares), abs=1e-15)


def test_log_loss_is_in_nats_and_finite() -> None:
    probabilities = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert log_loss(probabilities[:1], np.array([0])) == pytest.approx(math.log(4))
    assert log_loss(probabilities, np.array([0, 1])) == pytest.approx((math.log(4) - math.log(1e-12)) / 2)
