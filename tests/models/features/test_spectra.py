"""Spectrograms, mel, MFCC and chroma: the numbers that librosa gives."""

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from overtone_models.features import spectra
from overtone_models.features.log_mel import LogMelSpec
from overtone_models.features.means import MeanMfccSpec, MeanVectorSpec

Voice = Callable[..., np.ndarray]


@pytest.fixture(params=[(16_000, 3.0), (22_050, 1.7), (16_000, 0.02)], ids=["16 kHz", "22.05 kHz", "320 samples"])
def sound(request: pytest.FixtureRequest, made_up_voice: Voice) -> tuple[np.ndarray, int]:
    rate_hz, seconds = request.param
    return made_up_voice(seconds, rate_hz=rate_hz), rate_hz


def check(samples: np.ndarray, rate_hz: int) -> None:
    power = np.square(spectra.magnitudes(samples))
    np.testing.assert_allclose(power.T, np.abs(librosa.stft(samples)) ** 2, atol=1e-3)
    mel = spectra.mel_power(power, sample_rate_hz=rate_hz, n_mels=128)
    expected = librosa.feature.melspectrogram(y=samples, sr=rate_hz)
    np.testing.assert_allclose(mel.T, expected, atol=1e-3)
    np.testing.assert_allclose(spectra.decibels(mel).T, librosa.power_to_db(expected), atol=1e-3)
    mfcc = spectra.cepstra(spectra.decibels(mel), 40)
    np.testing.assert_allclose(mfcc.T, librosa.feature.mfcc(y=samples, sr=rate_hz, n_mfcc=40), atol=5e-3)
    tones = librosa.feature.chroma_stft(y=samples, sr=rate_hz, tuning=0)
    np.testing.assert_allclose(spectra.chroma(power, rate_hz).T, tones, atol=1e-3)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
def test_equal_to_librosa(sound: tuple[np.ndarray, int]) -> None:
    check(*sound)


@pytest.mark.data
def test_equal_to_librosa_on_ravdess(speech_data: Path) -> None:
    for path in sorted((speech_data / "ravdess").rglob("*.flac"))[::270]:
        check(*soundfile.read(path, dtype="float32"))


@pytest.mark.parametrize("fft_samples", [512, 1024, 4096])
def test_filters_equal_librosas_at_other_lengths(fft_samples: int) -> None:
    chroma = librosa.filters.chroma(sr=16_000, n_fft=fft_samples, tuning=0)
    np.testing.assert_allclose(spectra.chroma_filters(16_000, fft_samples).T, chroma, atol=1e-6)


def test_log_mel_is_librosas_of_the_padded_sound(voice: np.ndarray) -> None:
    padded = np.pad(voice, (0, 128_000 - voice.size))
    expected = librosa.power_to_db(librosa.feature.melspectrogram(y=padded, sr=16_000))
    found = LogMelSpec().compute(voice)
    assert found.shape == LogMelSpec().shape == (128, 251) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert found.min() == pytest.approx(found.max() - 80.0, abs=1e-4)


def test_mean_mfcc_is_librosas_from_the_offset_on(made_up_voice: Voice) -> None:
    for seconds in (5.0, 1.8):
        samples = made_up_voice(seconds, rate_hz=22_050)
        part = samples[11_025 : 11_025 + 66_150]
        expected = librosa.feature.mfcc(y=part, sr=22_050, n_mfcc=40).mean(axis=1)
        np.testing.assert_allclose(MeanMfccSpec().compute(samples), expected, atol=2e-3)


@pytest.mark.parametrize("padded", [True, False])
def test_mean_vector_holds_mfcc_chroma_and_mel(voice: np.ndarray, padded: bool) -> None:
    samples = np.pad(voice, (0, 128_000 - voice.size)) if padded else voice
    mfcc = librosa.feature.mfcc(y=samples, sr=16_000, n_mfcc=40).mean(axis=1)
    chroma = librosa.feature.chroma_stft(y=samples, sr=16_000, tuning=0).mean(axis=1)
    mel = librosa.feature.melspectrogram(y=samples, sr=16_000).mean(axis=1)
    found = MeanVectorSpec(padded=padded).compute(voice)
    assert found.shape == MeanVectorSpec().shape == (180,)
    np.testing.assert_allclose(found, np.concatenate([mfcc, chroma, mel]), atol=2e-3)


def test_long_sound_is_cut(made_up_voice: Voice) -> None:
    samples = made_up_voice(9.0)
    for spec in (LogMelSpec(), MeanVectorSpec(), MeanVectorSpec(padded=False)):
        assert np.array_equal(spec.compute(samples), spec.compute(samples[:128_000]))


def test_silence_is_the_floor() -> None:
    silence = np.zeros(16_000, np.float32)
    np.testing.assert_allclose(LogMelSpec().compute(silence), -100.0, atol=1e-3)
    assert not MeanVectorSpec().compute(silence)[40:].any()
