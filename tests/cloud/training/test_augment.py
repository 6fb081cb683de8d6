"""Augmentation: other recordings of the same speech, of the same kind and size."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_cloud.errors import ConfigError
from overtone_cloud.training.augment import Augmentation, augment, mix_sounds
from overtone_cloud.training.examples import Examples, examples

OFF = Augmentation(**{field.name: 0 for field in fields(Augmentation)})
FRAMES = 200


def decibels(frames: int = 120, bands: int = 64, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (-40 + 15 * rng.normal(size=(frames, bands))).astype(np.float32)


def given_examples(*arrays: np.ndarray) -> Examples:
    return examples([(x,) for x in arrays], np.eye(len(arrays), dtype=np.float32))


def heard(
    drawn: Examples, rows: np.ndarray, spec: Augmentation, frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return variations of views that are drawn as the trainer draws them."""
    return augment(drawn, rows, drawn.views(rows, spec.conditioned, rng), spec, frames, rng)


def varied(spec: Augmentation, seed: int = 0, *, frames: int = FRAMES) -> np.ndarray:
    """Return the valid frames of one variation of `decibels()`."""
    x, counts = heard(given_examples(decibels()), np.array([0]), spec, frames, np.random.default_rng(seed))
    return x[0, : counts[0]]


@given(st.lists(st.integers(10, 400), min_size=1, max_size=5), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_results_are_finite_float32_of_about_their_length(lengths: list[int], seed: int) -> None:
    drawn = given_examples(*(decibels(length) for length in lengths))
    x, counts = heard(drawn, np.arange(len(lengths)), Augmentation(), FRAMES, np.random.default_rng(seed))
    assert x.dtype == np.float32
    assert x.shape == (len(lengths), FRAMES, 64)
    assert np.isfinite(x).all()
    for count, length in zip(counts, lengths, strict=True):
        assert min(FRAMES, int(0.6 * length)) <= count <= min(FRAMES, 1.2 * length)


def test_everything_off_changes_nothing() -> None:
    arrays = [decibels(length, seed=length) for length in (50, 199, 200)]
    rows = np.array([2, 0, 1, 0])
    x, counts = heard(given_examples(*arrays), rows, OFF, FRAMES, np.random.default_rng(0))
    assert counts.tolist() == [200, 50, 199, 50]
    for row, each, count in zip(rows, x, counts, strict=True):
        np.testing.assert_array_equal(each[:count], arrays[row])


def test_longer_examples_are_cut_at_drawn_places() -> None:
    whole = decibels(300)
    drawn, found = given_examples(whole), set()
    for seed in range(20):
        x, counts = heard(drawn, np.array([0]), OFF, 100, np.random.default_rng(seed))
        assert counts[0] == 100
        start = int(np.flatnonzero((whole == x[0, 0]).all(1))[0])
        np.testing.assert_array_equal(x[0], whole[start : start + 100])
        found.add(start)
    assert len(found) > 10


def test_the_examples_are_left_as_they_are() -> None:
    drawn = given_examples(decibels())
    for seed in range(20):
        heard(drawn, np.array([0]), Augmentation(), FRAMES, np.random.default_rng(seed))
    np.testing.assert_array_equal(drawn.flat, decibels())


def test_equal_seeds_give_equal_variations() -> None:
    np.testing.assert_array_equal(varied(Augmentation(), 7), varied(Augmentation(), 7))
    assert varied(Augmentation(), 7).shape != varied(Augmentation(), 8).shape or not np.array_equal(
        varied(Augmentation(), 7), varied(Augmentation(), 8)
    )


def test_gain_moves_every_value_alike() -> None:
    moved = [varied(replace(OFF, gain_db=6.0), seed) - decibels() for seed in range(30)]
    assert all(np.ptp(m) < 1e-4 for m in moved)
    assert max(abs(float(m.mean())) for m in moved) <= 6.0
    assert len({round(float(m.mean()), 3) for m in moved}) > 20


def test_shift_cuts_the_beginning() -> None:
    for seed in range(20):
        found = varied(replace(OFF, shift_frames=20), seed)
        cut = 120 - len(found)
        assert 0 <= cut <= 20
        np.testing.assert_array_equal(found, decibels()[cut:])


def test_stretching_keeps_a_ramp_a_ramp() -> None:
    ramp = np.repeat(np.arange(120, dtype=np.float32)[:, None], 64, axis=1)
    lengths = set()
    for seed in range(30):
        x, counts = heard(
            given_examples(ramp), np.array([0]), replace(OFF, stretch=0.2), FRAMES, np.random.default_rng(seed)
        )
        steps = np.diff(x[0, : counts[0] - 2, 0])
        np.testing.assert_allclose(steps, 120 / counts[0], atol=0.02)
        lengths.add(int(counts[0]))
    assert 120 in lengths
    assert min(lengths) < 110 < 130 < max(lengths)


def test_another_throat_moves_a_resonance() -> None:
    peaked = np.zeros((120, 64), np.float32)
    peaked[:, 30] = 30.0
    spec = replace(OFF, vocal_tract_octaves=0.3)
    places = set()
    for seed in range(30):
        x, _ = heard(given_examples(peaked), np.array([0]), spec, 120, np.random.default_rng(seed))
        assert (x[0] == x[0, :1]).all()
        places.add(int(x[0, 0].argmax()))
    assert 24 <= min(places) < 28
    assert 32 < max(places) <= 38


def test_noise_only_adds_power() -> None:
    found = varied(replace(OFF, noise_probability=1.0, noise_below_speech_db=10.0))
    assert (found >= decibels() - 1e-3).all()
    assert (found > decibels() + 0.1).mean() > 0.1


def test_masks_cover_no_more_than_they_may() -> None:
    spec = replace(OFF, mask_bands=2, mask_band_width=12, mask_times=2, mask_time_frames=25)
    hidden = []
    for seed in range(20):
        changed = varied(spec, seed) != decibels()
        assert changed.all(axis=0).sum() <= 24
        assert changed.all(axis=1).sum() <= 50
        hidden.append(changed.any())
    assert all(hidden)


def test_a_mask_wider_than_the_spectrum() -> None:
    spec = replace(OFF, mask_bands=1, mask_band_width=128)
    drawn = given_examples(decibels(40, 20))
    for seed in range(20):
        assert np.isfinite(heard(drawn, np.array([0]), spec, 40, np.random.default_rng(seed))[0]).all()


@pytest.mark.parametrize(("conditioned", "expected"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_views_are_drawn_as_often_as_asked(conditioned: float, expected: float) -> None:
    drawn = examples([[np.full((30, 4), view, np.float32) for view in range(3)]] * 2, np.eye(2, dtype=np.float32))
    rows = np.tile([0, 1], 500)
    x, _ = heard(drawn, rows, replace(OFF, conditioned=conditioned), 30, np.random.default_rng(0))
    seen = x[:, 0, 0]
    assert abs((seen > 0).mean() - expected) < 0.05
    if conditioned:
        assert set(seen[seen > 0]) == {1.0, 2.0}


def test_an_utterance_that_a_condition_silenced_is_heard_as_recorded() -> None:
    loud, quiet = np.ones((30, 4), np.float32), np.zeros((20, 4), np.float32)
    drawn = examples([(quiet, loud), (quiet,)], np.eye(2, dtype=np.float32))
    assert drawn.views(np.array([1, 1]), 1.0, np.random.default_rng(0)).tolist() == [1, 1]
    x, counts = heard(drawn, np.array([1, 1]), replace(OFF, conditioned=1.0), 20, np.random.default_rng(0))
    assert counts.tolist() == [20, 20]
    assert (x == 0).all()


@pytest.mark.parametrize("change", [{"stretch": 1.0}, {"noise_probability": -0.1}, {"gain_db": float("nan")}])
def test_values_outside_their_limits(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"augmentation setting {next(iter(change))} is"):
        Augmentation(**change)


def test_sounds_are_turned_and_added_to_each_other_within_their_frames() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 20, 4)).astype(np.float32)
    counts = rng.integers(5, 21, 64)
    found = mix_sounds(x, counts, np.random.default_rng(1))
    kinds = {"as they were": 0, "backwards": 0, "added": 0}
    for row, count in enumerate(counts):
        own = found[row, :count]
        if np.array_equal(own, x[row, :count]):
            kinds["as they were"] += 1
        elif np.array_equal(own, x[row, :count][::-1]):
            kinds["backwards"] += 1
        else:
            kinds["added"] += 1
            least = np.minimum(x[row, :count], x[row, :count][::-1])
            assert (own >= least - 1e-5).all()
    assert min(kinds.values()) >= 8
