"""Smoothing, hysteresis and "no decision"."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from overtone_edge.core.config import DecisionConfig
from overtone_edge.hearing.decision import Decider

LABELS = ("neutral", "happy", "sad")


def decider(**values) -> Decider:
    settings = {"smoothing_s": 0.0, "hysteresis": 0.1, "min_speech_s": 0.0, **values}
    return Decider(DecisionConfig(**settings), LABELS, threshold=0.5)


def p(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_below_the_threshold_there_is_no_decision() -> None:
    assert decider().process(p(0.4, 0.45, 0.15), 0.1).label is None


def test_the_configured_threshold_wins_over_the_calibrated_one() -> None:
    assert decider(threshold=0.42).process(p(0.4, 0.45, 0.15), 0.1).label == "happy"


def test_a_label_is_kept_within_the_hysteresis_and_left_beyond_it() -> None:
    it = decider(threshold=0.3)
    assert it.process(p(0.2, 0.5, 0.3), 0.1).label == "happy"
    assert it.process(p(0.2, 0.38, 0.42), 0.1).label == "happy"
    assert it.process(p(0.2, 0.3, 0.5), 0.1).label == "sad"


def test_a_label_is_dropped_well_below_the_threshold_only() -> None:
    it = decider()
    assert it.process(p(0.2, 0.6, 0.2), 0.1).label == "happy"
    assert it.process(p(0.3, 0.45, 0.25), 0.1).label == "happy"
    assert it.process(p(0.35, 0.38, 0.27), 0.1).label is None


def test_nothing_is_decided_before_there_is_enough_speech() -> None:
    it = decider(min_speech_s=0.3)
    labels = [it.process(p(0.1, 0.8, 0.1), 0.1).label for _ in range(4)]
    assert labels == [None, None, "happy", "happy"]


def test_smoothing_follows_with_its_time_constant() -> None:
    it = decider(smoothing_s=1.0)
    it.process(p(1, 0, 0), 0.1)
    for _ in range(10):
        decision = it.process(p(0, 1, 0), 0.1)
    assert abs(decision.probabilities[0] - np.exp(-1.0)) < 1e-3


def test_the_end_decides_over_the_whole_without_memory() -> None:
    it = decider()
    it.process(p(0.9, 0.05, 0.05), 0.1)
    assert it.end(p(0.1, 0.7, 0.2)).label == "happy"
    assert it.end(p(0.4, 0.3, 0.3)).label is None


@given(st.lists(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3), min_size=1, max_size=30))
def test_smoothed_probabilities_stay_probabilities(rows: list[list[float]]) -> None:
    it = decider(smoothing_s=0.3)
    for row in rows:
        values = np.array(row, np.float32) / np.float32(sum(row))
        decision = it.process(values, 0.1)
        assert abs(sum(decision.probabilities) - 1.0) < 1e-4
        assert decision.label is None or decision.label in LABELS
