"""Predictions: what is not heard is wrong, folds pool, files give back what went in; reliability and coverage."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_cloud.errors import TrainingError
from overtone_cloud.recognition.predictions import Predictions, pooled
from overtone_cloud.recognition.reliability import coverage, own_thresholds, reliability
from overtone_models.calibration import expected_calibration_error

LABELS = ("neutral", "sad", "angry")


def made(n: int = 60, seed: int = 0, threshold: float = 0.5, sharp: float = 2.0) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + sharp * np.eye(3)[targets]
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    ids = tuple(f"{seed}/{row}" for row in range(n))
    speakers = tuple(f"s{row % 4}" for row in range(n))
    return Predictions(LABELS, ids, speakers, targets, probabilities, np.full(n, threshold, np.float32))


def test_uar_is_the_mean_of_recalls() -> None:
    found = made()
    predicted = found.probabilities.argmax(1)
    recalls = [(predicted[found.targets == c] == c).mean() for c in range(3)]
    assert found.uar == pytest.approx(np.mean(recalls))
    assert list(found.recalls.values()) == pytest.approx(recalls)
    part = found.where(lambda speaker: speaker == "s0")
    assert set(part.recalls) == {LABELS[c] for c in set(part.targets.tolist())}


def test_what_was_not_heard_counts_as_wrong() -> None:
    found = made()
    silent = found.probabilities.copy()
    silent[found.targets == 2] = 0.0
    deaf = replace(found, probabilities=silent)
    predicted = found.probabilities.argmax(1)
    recalls = [(predicted[found.targets == c] == c).mean() for c in range(2)]
    assert deaf.uar == pytest.approx(sum(recalls) / 3)
    assert deaf.answered.sum() == (found.targets != 2).sum()
    heard = found.targets != 2
    error = expected_calibration_error(found.probabilities[heard], found.targets[heard])
    assert deaf.calibration_error == pytest.approx(error)


def test_what_is_taken_for_a_sound_was_heard_in_files_too() -> None:
    tiny = replace(made(), probabilities=made().probabilities * np.float32(1e-9))
    again = Predictions.from_json(json.loads(json.dumps(tiny.to_json())))
    assert again.answered.all()
    np.testing.assert_array_equal(again.predicted, tiny.predicted)


def test_folds_pool_and_speakers_can_be_taken_out() -> None:
    both = pooled([made(seed=1), made(n=20, seed=2, threshold=0.7)])
    assert len(both) == 80
    assert sorted(set(both.thresholds.tolist())) == pytest.approx([0.5, 0.7])
    part = both.where(lambda speaker: speaker == "s1")
    assert set(part.speakers) == {"s1"}
    np.testing.assert_array_equal(part.targets, both.targets[[s == "s1" for s in both.speakers]])
    with pytest.raises(TrainingError, match="2 sets of labels"):
        pooled([made(), replace(made(), labels=("a", "b", "c"))])


def test_json_gives_back_the_predictions() -> None:
    found = made()
    again = Predictions.from_json(json.loads(json.dumps(found.to_json())))
    assert (again.labels, again.ids, again.speakers) == (found.labels, found.ids, found.speakers)
    np.testing.assert_array_equal(again.targets, found.targets)
    np.testing.assert_allclose(again.probabilities, found.probabilities, atol=1e-5)
    assert again.uar == found.uar


def test_the_bins_are_those_of_the_calibration_error() -> None:
    found = made(n=500)
    bins = reliability(found)
    assert sum(b.utterances for b in bins) == 500
    error = sum(b.utterances * abs(b.confidence - b.accuracy) for b in bins) / 500
    assert error == pytest.approx(found.calibration_error, abs=1e-6)
    assert [b.confidence for b in bins] == sorted(b.confidence for b in bins)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(5, 100), sharp=st.floats(0, 4))
def test_higher_thresholds_decide_less(seed: int, n: int, sharp: float) -> None:
    found = made(n=n, seed=seed, sharp=sharp)
    curve = coverage(found)
    covered = [c.coverage for c in curve]
    assert covered == sorted(covered, reverse=True)
    assert covered[0] == 1.0
    assert curve[0].accuracy == pytest.approx(found.correct.mean())
    assert all(c.accuracy is None for c in curve if c.coverage == 0)


def test_own_thresholds_are_each_utterances() -> None:
    found = made(threshold=0.0)
    assert own_thresholds(found).coverage == 1.0
    mixed = replace(found, thresholds=np.where(np.arange(60) < 30, 0.0, 0.999).astype(np.float32))
    decided = np.append(np.ones(30, bool), found.confidence[30:] >= 0.999)
    cover = own_thresholds(mixed)
    assert cover.coverage == pytest.approx(decided.mean())
    assert cover.accuracy == pytest.approx(found.correct[decided].mean())
