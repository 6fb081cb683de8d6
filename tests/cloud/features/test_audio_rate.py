"""Recordings at the rate that a feature asks for."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone_cloud.corpora import audio
from overtone_cloud.errors import AudioError


@pytest.mark.parametrize("own_hz", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("asked_hz", [8_000, 16_000, 22_050])
def test_a_tone_keeps_its_pitch_and_level(tmp_path: Path, own_hz: int, asked_hz: int) -> None:
    time = np.arange(own_hz) / own_hz
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), own_hz, subtype="FLOAT")
    samples = audio.load(tmp_path / "a.wav", sample_rate_hz=asked_hz)
    assert samples.dtype == np.float32 and abs(samples.size - asked_hz) <= 1
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    assert abs(spectrum.argmax() * asked_hz / samples.size - 440) < 1.0
    assert np.abs(samples[100:-100]).max() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("rate_hz", [0, 3_999, 400_000])
def test_a_rate_outside_the_limits_is_refused(tmp_path: Path, rate_hz: int) -> None:
    with pytest.raises(AudioError, match=f"sample_rate_hz is {rate_hz}, limits are 4000 and 384000 Hz"):
        audio.load(tmp_path / "a.wav", sample_rate_hz=rate_hz)
