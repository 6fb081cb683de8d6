"""The log-mel spectrogram of the last seconds of sound, as Whisper's encoder takes it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.features.spec import FeatureSpec, fit_length
from overtone_models.features.spectra import FLOOR_POWER, hann, mel_power
from overtone_models.front_end import F32

MELS = 80
FFT_SAMPLES, HOP_SAMPLES = 400, 160
DECADES = 8.0
"""Range below the loudest point of the window: 80 dB."""
BLOCK_FRAMES = 60
MIN_S, MAX_S = 0.1, 30.0
STEP_FRAMES = 2
"""The encoder joins two frames to a step, so windows hold an even number of them."""


@dataclass(frozen=True, kw_only=True)
class WhisperLogMelSpec(FeatureSpec):
    """`(frames, 80)` of the last `seconds` of 16 kHz sound, frames 10 ms apart, in about -1.5..1.5.

    Slaney's bands from 0 to 8 kHz, Hann windows of 400 samples, log10 of the power, no lower than 8 below the window's
    largest, then (x + 4) / 4 (Radford et al., 2022). Shorter sound is followed by zeros, as in Whisper's own training,
    so its later frames lie at the floor in every band; the ends of the window are mirrored.
    """

    name: ClassVar[str] = "whisper-log-mel"

    seconds: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample_rate_hz != SAMPLE_RATE_HZ:
            self.refuse("sample_rate_hz", f"Whisper hears {SAMPLE_RATE_HZ} Hz")
        if not MIN_S <= self.seconds <= MAX_S:
            self.refuse("seconds", f"limits are {MIN_S:g} and {MAX_S:g} s")
        if self.window_samples % (STEP_FRAMES * HOP_SAMPLES):
            self.refuse("seconds", f"it must be a multiple of {STEP_FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ:g} s")

    @property
    def window_samples(self) -> int:
        """Samples that the window holds."""
        return round(self.seconds * self.sample_rate_hz)

    @property
    def shape(self) -> tuple[int, int]:
        """`(frames, 80)`."""
        return self.window_samples // HOP_SAMPLES, MELS

    def compute(self, samples: F32) -> F32:
        """Return `(frames, 80)` of the last `seconds` of `samples`."""
        window = fit_length(self.validate(samples)[-self.window_samples :], self.window_samples)
        padded = np.pad(window, FFT_SAMPLES // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES][: self.shape[0]]
        mel = mel_power(_power(frames), sample_rate_hz=self.sample_rate_hz, n_mels=MELS)
        level = np.log(np.maximum(mel, np.float32(FLOOR_POWER))) * np.float32(1.0 / np.log(10.0))
        result: F32 = (np.maximum(level, level.max() - np.float32(DECADES)) + np.float32(4.0)) / np.float32(4.0)
        return result


def _power(frames: F32) -> F32:
    """Return `(frames, bins)` power of `(frames, samples)` under Hann's window.

    In blocks, which stay in the cache, and in float64, which numpy transforms faster than float32.
    """
    window = hann(FFT_SAMPLES).astype(np.float64)
    power = np.empty((len(frames), FFT_SAMPLES // 2 + 1), np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):
        bins = np.fft.rfft(frames[start : start + BLOCK_FRAMES] * window)
        power[start : start + BLOCK_FRAMES] = np.square(bins.real) + np.square(bins.imag)
    return power
