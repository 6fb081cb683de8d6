"""The log-mel spectrogram of a whole window of speech, as librosa defines it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from overtone_models.features.spec import MAX_S, FeatureSpec, fit_length
from overtone_models.features.spectra import FFT_SAMPLES, HOP_SAMPLES, decibels, magnitudes, mel_power
from overtone_models.front_end import F32


@dataclass(frozen=True, kw_only=True)
class LogMelSpec(FeatureSpec):
    """`(n_mels, frames)` decibels of `seconds` of sound: FFT 2048, hop 512, at most 80 dB below the loudest.

    Shorter sound is zero-padded, so its end lies at the floor; longer sound is cut.
    """

    name: ClassVar[str] = "log-mel"

    n_mels: int = 128
    seconds: float = 8.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.n_mels <= 256:
            self.refuse("n_mels", "limits are 1 and 256")
        if not 0.1 <= self.seconds <= MAX_S:
            self.refuse("seconds", f"limits are 0.1 and {MAX_S:g} s")

    @property
    def window_samples(self) -> int:
        """Samples that the window holds."""
        return round(self.seconds * self.sample_rate_hz)

    @property
    def shape(self) -> tuple[int, int]:
        """`(n_mels, frames)`."""
        return self.n_mels, 1 + self.window_samples // HOP_SAMPLES

    def compute(self, samples: F32) -> F32:
        """Return `(n_mels, frames)` decibels."""
        window = fit_length(self.validate(samples), self.window_samples)
        power = np.square(magnitudes(window, FFT_SAMPLES, HOP_SAMPLES))
        mel = mel_power(power, sample_rate_hz=self.sample_rate_hz, n_mels=self.n_mels)
        return np.ascontiguousarray(decibels(mel).T)
