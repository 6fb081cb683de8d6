"""Crops: where they are cut, what is voice, and how they look at the ends."""

from collections.abc import Callable

import numpy as np
import pytest

from overtone_models.features.crops import (
    CropSpec,
    VoicedSpectrogramSpec,
    cut,
    periodicity,
    spectrogram,
    voiced_frames,
)
from overtone_models.features.spectra import magnitudes

Voice = Callable[..., np.ndarray]
FRAMES_PER_S = 16_000 / 256


def test_rows_are_linear_in_frequency() -> None:
    time = np.arange(16_000) / 16_000
    for hertz in (500.0, 3000.0, 7900.0):
        whole = spectrogram(np.sin(2 * np.pi * hertz * time).astype(np.float32))
        assert whole.shape == (128, 63)
        assert abs(whole[:, 30].argmax() - hertz / 62.5) <= 0.6


def test_decibels_lie_below_the_loudest_point(voice: np.ndarray) -> None:
    level, magnitude = spectrogram(voice, in_decibels=True), spectrogram(voice)
    assert level.max() == 0.0 and level.min() >= -80.0
    np.testing.assert_allclose(level, np.maximum(20 * np.log10(magnitude / magnitude.max()), -80.0), atol=1e-3)


def test_a_cut_has_its_centre_in_the_middle_and_moves_inwards_at_the_ends() -> None:
    whole = np.tile(np.arange(200, dtype=np.float32), (4, 1))
    assert cut(whole, 100, 64)[0, 32] == 100.0
    assert np.array_equal(cut(whole, 3, 64), whole[:, :64])
    assert np.array_equal(cut(whole, 199, 64), whole[:, -64:])
    assert np.array_equal(cut(whole, 60, 200), whole)


def test_a_short_recording_stands_in_the_middle() -> None:
    crop = cut(np.ones((4, 10), np.float32), 2, 65, fill=-80.0)
    assert crop.shape == (4, 65)
    assert (crop[:, 27:37] == 1.0).all() and (crop[:, :27] == -80.0).all() and (crop[:, 37:] == -80.0).all()


@pytest.mark.parametrize("pitch_hz", [75.0, 110.0, 220.0, 380.0])
def test_voice_is_found_and_noise_is_not(made_up_voice: Voice, pitch_hz: float) -> None:
    noise = 0.05 * np.random.default_rng(2).normal(size=16_000).astype(np.float32)
    time = np.arange(16_000) / 16_000
    tone = sum(np.sin(2 * np.pi * n * pitch_hz * time) / n for n in range(1, 12)).astype(np.float32)
    frames = voiced_frames(np.concatenate([noise, 0.1 * tone, noise]), 16_000)
    assert frames.min() > 0.93 * FRAMES_PER_S and frames.max() < 2.07 * FRAMES_PER_S
    assert len(frames) > 0.9 * FRAMES_PER_S


def test_periodicity_lies_in_its_range(voice: np.ndarray) -> None:
    strength = periodicity(np.square(magnitudes(voice, 2048, 256)), 16_000)
    assert strength.min() >= 0.0 and 0.9 < strength.max() < 1.1


def test_without_voice_the_loudest_frame_stands_in() -> None:
    noise = np.random.default_rng(3).normal(size=16_000).astype(np.float32) * 0.01
    noise[8000:8200] *= 20
    frames = voiced_frames(noise, 16_000)
    assert len(frames) == 1 and abs(frames[0] - 8100 / 256) < 4
    assert len(voiced_frames(np.zeros(5000, np.float32), 16_000)) == 1


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("seconds", [0.05, 0.7, 3.0])
def test_crops_have_their_shape(made_up_voice: Voice, width: int, seconds: float) -> None:
    spec = CropSpec(width=width)
    samples = made_up_voice(seconds)
    crop = spec.compute(samples)
    assert crop.shape == spec.shape == (128, width) and crop.dtype == np.float32
    assert CropSpec(width=width, in_decibels=True).compute(samples).min() >= -80.0


def test_the_whole_spectrogram_says_where_voice_is(voice: np.ndarray) -> None:
    whole = VoicedSpectrogramSpec().compute(voice)
    voiced = np.flatnonzero(whole[-1])
    assert whole.shape == (129, 1 + voice.size // 256)
    assert np.array_equal(whole[:-1], spectrogram(voice)) and np.array_equal(voiced, voiced_frames(voice, 16_000))
    middle = int(voiced[len(voiced) // 2])
    assert np.array_equal(cut(whole[:-1], middle, 64), CropSpec(width=64).compute(voice))
