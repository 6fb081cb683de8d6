"""Augmentation: other recordings of the same speech, of the same kind and size."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_cloud.errors import ConfigError
from overtone_cloud.training.augment import Augmentation, augment, mixup

OFF = Augmentation(**{field.name: 0 for field in fields(Augmentation)})


def decibels(frames: int = 120, bands: int = 64) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (-40 + 15 * rng.normal(size=(frames, bands))).astype(np.float32)


def varied(spec: Augmentation, seed: int = 0, x: np.ndarray | None = None) -> np.ndarray:
    return augment(decibels() if x is None else x, spec, np.random.default_rng(seed))


@given(st.integers(10, 400), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_result_is_finite_float32_with_the_same_bands(frames: int, seed: int) -> None:
    found = varied(Augmentation(), seed, decibels(frames))
    assert found.dtype == np.float32
    assert found.shape[1] == 64
    assert 0.6 * frames <= len(found) <= 1.2 * frames
    assert np.isfinite(found).all()


def test_everything_off_changes_nothing() -> None:
    np.testing.assert_array_equal(varied(OFF), decibels())


def test_the_input_is_left_as_it_is() -> None:
    x = decibels()
    for seed in range(20):
        varied(Augmentation(), seed, x)
    np.testing.assert_array_equal(x, decibels())


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


def test_noise_only_adds_power() -> None:
    found = varied(replace(OFF, noise_probability=1.0, noise_below_speech_db=10.0))
    assert (found >= decibels() - 1e-3).all()
    assert (found > decibels() + 0.1).mean() > 0.1


def test_masks_cover_no_more_than_they_may() -> None:
    spec = replace(OFF, mask_bands=2, mask_band_width=12, mask_times=2, mask_time_frames=25)
    for seed in range(20):
        changed = varied(spec, seed) != decibels()
        assert changed.all(axis=0).sum() <= 24
        assert changed.all(axis=1).sum() <= 50


def test_a_mask_wider_than_the_spectrum() -> None:
    for seed in range(20):
        assert np.isfinite(varied(replace(OFF, mask_bands=1, mask_band_width=128), seed, decibels(40, 20))).all()


@given(st.floats(0.05, 2.0), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_mixup_mixes_examples_and_targets_alike(alpha: float, seed: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 20, 4)).astype(np.float32)
    mask = np.tile(np.array([1, 0], np.float32), (6, 1))
    mask[:3, 1] = 1
    y = np.eye(6, dtype=np.float32)
    mixed, covers, targets = mixup(x, mask, y, alpha, np.random.default_rng(seed))
    np.testing.assert_allclose(targets.sum(1), 1.0, atol=1e-6)
    np.testing.assert_allclose(mixed, np.einsum("ij,jkl->ikl", targets, x), atol=1e-5)
    assert (targets[np.arange(6), np.arange(6)] >= 0.5 - 1e-6).all()
    assert (covers >= ((targets > 0).astype(np.float32) @ mask > 0)).all()
    assert (covers[:3] == 1).all()


def test_mixup_off() -> None:
    x, mask, y = decibels(4, 3)[None], np.ones((1, 1), np.float32), np.ones((1, 1), np.float32)
    assert all(a is b for a, b in zip(mixup(x, mask, y, 0.0, np.random.default_rng(0)), (x, mask, y), strict=True))


@pytest.mark.parametrize("change", [{"stretch": 1.0}, {"noise_probability": -0.1}, {"gain_db": float("nan")}])
def test_values_outside_their_limits(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"augmentation setting {next(iter(change))} is"):
        Augmentation(**change)
