"""Whisper's log-mel: librosa's filters and spectra in float64, faster-whisper's extractor, and its window."""

import os
import subprocess
from pathlib import Path

import librosa
import numpy as np
import pytest

from overtone_models.errors import FrontEndError
from overtone_models.features.whisper_log_mel import WhisperLogMelSpec
from overtone_models.window_inputs import window_seconds

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-reference" / "bin" / "python"
SCRIPT = Path(__file__).with_name("reference_whisper_log_mel.py")


def by_librosa(samples: np.ndarray) -> np.ndarray:
    """The definition, in float64."""
    wide = samples.astype(np.float64)
    spectrum = librosa.stft(wide, n_fft=400, hop_length=160, window="hann", center=True, pad_mode="reflect")
    filters = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80, dtype=np.float64)
    level = np.log10(np.maximum(filters @ np.square(np.abs(spectrum[:, :-1])), 1e-10))
    return ((np.maximum(level, level.max() - 8.0) + 4.0) / 4.0).T


def sounds(voice: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "voice": voice,
        "quiet": (1e-3 * voice).astype(np.float32),
        "noise": (0.1 * rng.normal(size=48_000)).astype(np.float32),
        "begins late": np.concatenate([np.zeros(30_000, np.float32), voice[:18_000]]),
        "silence": np.zeros(48_000, np.float32),
    }


def test_equal_to_librosa_in_float64(voice: np.ndarray) -> None:
    for name, samples in sounds(voice).items():
        found = WhisperLogMelSpec().compute(samples)
        assert found.dtype == np.float32 and found.shape == (300, 80)
        np.testing.assert_allclose(found, by_librosa(samples), atol=2e-4, err_msg=name)


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-reference with faster-whisper: `make setup-test` makes it")
def test_equal_to_another_implementation_of_whispers(voice: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", **sounds(voice))
    command = [PYTHON, SCRIPT, tmp_path / "in.npz", tmp_path / "out.npz"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as expected:
        for name, samples in sounds(voice).items():
            np.testing.assert_allclose(WhisperLogMelSpec().compute(samples), expected[name], atol=2e-4, err_msg=name)


def test_the_last_seconds_count(voice: np.ndarray) -> None:
    longer = np.concatenate([voice[:12_345], voice])
    np.testing.assert_array_equal(WhisperLogMelSpec().compute(longer), WhisperLogMelSpec().compute(voice))


@pytest.mark.parametrize("seconds", [0.001, 0.1, 1.0, 2.99])
def test_shorter_sound_is_followed_by_zeros(voice: np.ndarray, seconds: float) -> None:
    part = voice[: round(16_000 * seconds)]
    found = WhisperLogMelSpec().compute(part)
    np.testing.assert_array_equal(found, WhisperLogMelSpec().compute(np.pad(part, (0, 48_000 - part.size))))
    padding = found[-(-part.size // 160) + 2 :]
    assert np.unique(padding).size <= 1 and (not padding.size or padding.max() == found.min())


def test_what_is_refused() -> None:
    for parameters, words in (
        ({"sample_rate_hz": 8_000}, "sample_rate_hz is 8000, Whisper hears 16000 Hz"),
        ({"seconds": 31}, r"seconds is 31\.0, limits are 0\.1 and 30 s"),
        ({"seconds": 0.13}, r"seconds is 0\.13, it must be a multiple of 0\.02 s"),
    ):
        with pytest.raises(FrontEndError, match=words):
            WhisperLogMelSpec(**parameters)
    with pytest.raises(FrontEndError, match="no samples"):
        WhisperLogMelSpec().compute(np.zeros(0, np.float32))


def test_the_window_of_the_network_is_the_features() -> None:
    assert window_seconds(WhisperLogMelSpec(seconds=2).to_json()) == 2.0
    assert WhisperLogMelSpec(seconds=2).shape == (200, 80)
