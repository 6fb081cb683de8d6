"""Calibrated probabilities, and the threshold below which there is no decision."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overtone_models.calibration import (
    Calibration,
    expected_calibration_error,
    fit_sound_rejection,
    fit_temperature,
    fit_threshold,
    negative_log_likelihood,
)
from overtone_models.errors import ModelError

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.floats(-1e4, 1e4, width=32))


def noisy(sharpness: float, seed: int = 0, n: int = 600, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know the truth in part, times a sharpness that a temperature should undo."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 1.2 * np.eye(classes)[targets]
    return (sharpness * logits).astype(np.float32), targets


@given(LOGITS, st.floats(0.05, 20.0))
def test_probabilities_are_a_distribution_in_the_logits_order(logits: np.ndarray, temperature: float) -> None:
    found = Calibration(temperature=temperature).probabilities(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(-1), 1.0, atol=1e-5)
    assert (found >= 0).all()
    rows = np.arange(len(logits))
    np.testing.assert_array_equal(found[rows, logits.argmax(1)], found.max(1))


@given(st.floats(0.2, 8.0), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_temperature_never_raises_the_loss(sharpness: float, seed: int) -> None:
    logits, targets = noisy(sharpness, seed, n=80)
    fitted = fit_temperature(logits, targets)
    best = negative_log_likelihood(logits, targets, fitted)
    for other in (0.5, 1.0, 2.0, 0.97 * fitted, 1.03 * fitted):
        assert best <= negative_log_likelihood(logits, targets, other) + 1e-9


def test_temperature_undoes_sharpness_and_mends_calibration() -> None:
    logits, targets = noisy(1.0, n=4000)
    sharp = 5 * logits
    fitted = fit_temperature(sharp, targets)
    assert fitted == pytest.approx(5 * fit_temperature(logits, targets), rel=1e-3)
    before = expected_calibration_error(Calibration().probabilities(sharp), targets)
    after = expected_calibration_error(Calibration(temperature=fitted).probabilities(sharp), targets)
    assert after < 0.05 < before


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]], np.float32)
    targets = np.array([0, 1, 1, 1])
    assert expected_calibration_error(probabilities, targets, bins=10) == pytest.approx((0.4 + 0.4) / 2)
    sure = np.array([[1.0, 0.0]], np.float32)
    assert expected_calibration_error(sure, np.array([0])) == 0.0


@given(st.integers(0, 1000), st.floats(0.3, 1.0), st.sampled_from([3, 1000]))
@settings(max_examples=40, deadline=None)
def test_threshold_reaches_its_accuracy_and_keeps_a_tenth(seed: int, accuracy: float, steps: int) -> None:
    logits, targets = noisy(2.0, seed, n=100)
    probabilities = Calibration().probabilities(logits)
    probabilities = (np.rint(probabilities * steps) / steps).astype(np.float32)
    threshold = fit_threshold(probabilities, targets, accuracy)
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == targets
    kept = confidence >= threshold
    assert 0.0 <= threshold < 1.0
    assert kept.sum() >= 10
    reachable = [t for t in np.unique(confidence) if (confidence >= t).sum() >= 10]
    reached = [t for t in reachable if correct[confidence >= t].mean() >= accuracy]
    if reached:
        assert correct[kept].mean() >= accuracy
        assert kept.sum() == (confidence >= min(reached)).sum()


@given(st.integers(0, 1000), st.floats(0.0, 1.0), st.floats(-2.0, 9.0), st.floats(-2.0, 9.0), st.floats(0.0, 0.8))
@settings(max_examples=60, deadline=None)
def test_sounds_are_left_without_a_decision_while_speech_has_some(
    seed: int, share: float, of_sounds: float, of_speech: float, least: float
) -> None:
    sounds, speech = (
        z + np.float32(level) - z.mean(1, keepdims=True)
        for z, level in ((noisy(2.0, seed, n=100)[0], of_sounds), (noisy(2.0, seed + 1, n=50)[0], of_speech))
    )
    silent = fit_sound_rejection(Calibration(threshold=least), sounds, speech, share)
    decided = (silent.probabilities(speech).max(1) >= silent.threshold).mean()
    undecided = (silent.probabilities(sounds).max(1) < silent.threshold).mean()
    assert decided >= 0.1
    assert silent.speech is not None
    assert 1.0 <= silent.speech <= 5.0
    if undecided < share:  # then a little more would leave less than a tenth of the speech
        higher = replace(silent, threshold=silent.threshold + 1e-6)
        assert (higher.probabilities(speech).max(1) >= higher.threshold).mean() <= 0.1


def test_no_more_speech_is_asked_for_than_sounds_take() -> None:
    sounds, speech = np.zeros((4, 3), np.float32), np.full((4, 3), 20.0, np.float32) * [[1.0, 1.2, 0.8]]
    asked = Calibration(threshold=0.4)
    assert fit_sound_rejection(asked, sounds, speech, 1.0) == replace(asked, speech=1.0)
    sounds[0] = [9.0, 1.5, 1.5]  # the mean is 4: no more than as likely speech as not, where 4 is asked for
    found = fit_sound_rejection(asked, sounds, speech, 1.0).speech
    assert found is not None
    assert 4.0 < found < 5.0


@given(st.integers(0, 1000), st.floats(-90.0, 90.0), st.floats(0.1, 10.0))
@settings(max_examples=40, deadline=None)
def test_what_is_missing_to_one_is_no_speech(seed: int, speech: float, temperature: float) -> None:
    logits = noisy(2.0, seed, n=20)[0]
    plain = Calibration(temperature=temperature).probabilities(logits)
    asked = Calibration(temperature=temperature, speech=speech).probabilities(logits)
    likely = 1.0 / (1.0 + np.exp(speech - logits.mean(1, dtype=np.float64)))
    np.testing.assert_allclose(asked, plain * likely[:, None], rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(asked.sum(1), likely, rtol=1e-4, atol=1e-30)
    assert np.isfinite(Calibration(speech=speech).probabilities(1e4 * logits)).all()


@given(st.lists(st.floats(-200.0, 200.0, width=32), min_size=2, max_size=9), st.sampled_from([None, -3.0, 0.5, 90.0]))
@settings(max_examples=60, deadline=None)
def test_one_utterance_gets_what_it_gets_among_others(values: list[float], speech: float | None) -> None:
    logits = np.array(values, np.float32)
    calibration = Calibration(temperature=0.7, speech=speech)
    one, among = calibration.probabilities(logits), calibration.probabilities(np.stack([logits, -logits]))[0]
    assert one.dtype == among.dtype == np.float32
    np.testing.assert_allclose(one, among, rtol=2e-4, atol=1e-7)


def test_threshold_is_zero_where_everything_is_good_enough() -> None:
    logits, targets = noisy(1.0)
    assert fit_threshold(Calibration().probabilities(logits), targets, 0.0) == 0.0


@pytest.mark.parametrize(
    "values",
    [{"temperature": 0.0}, {"temperature": np.nan}, {"threshold": 1.0}, {"threshold": -0.1}, {"speech": np.nan}],
)
def test_values_outside_their_limits(values: dict[str, float]) -> None:
    with pytest.raises(ModelError, match=f"{next(iter(values))} is"):
        Calibration(**values)
