"""Features averaged over time: one vector for a whole window of speech."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from overtone_models.errors import FrontEndError
from overtone_models.features.spec import MAX_S, FeatureSpec, fit_length
from overtone_models.features.spectra import cepstra, chroma, decibels, magnitudes, mel_power
from overtone_models.front_end import F32

N_MELS = 128


@dataclass(frozen=True, kw_only=True)
class MeanMfccSpec(FeatureSpec):
    """`(n_mfcc,)` mean over time of the MFCC of at most `seconds` of sound from `offset_s` on.

    librosa's definition: FFT 2048, hop 512, 128 mels, 80 dB. Shorter sound is not padded.
    """

    name: ClassVar[str] = "mean-mfcc"

    sample_rate_hz: int = 22_050
    offset_s: float = 0.5
    seconds: float = 3.0
    n_mfcc: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.offset_s <= MAX_S:
            self.refuse("offset_s", f"limits are 0 and {MAX_S:g} s")
        if not 0.1 <= self.seconds <= MAX_S:
            self.refuse("seconds", f"limits are 0.1 and {MAX_S:g} s")
        if not 1 <= self.n_mfcc <= N_MELS:
            self.refuse("n_mfcc", f"limits are 1 and {N_MELS}")

    @property
    def shape(self) -> tuple[int]:
        """`(n_mfcc,)`."""
        return (self.n_mfcc,)

    def compute(self, samples: F32) -> F32:
        """Return the `(n_mfcc,)` means; raise FrontEndError where the sound ends before `offset_s`."""
        rate = self.sample_rate_hz
        first = int(self.offset_s * rate)
        part = self.validate(samples)[first : first + int(self.seconds * rate)]
        if not part.size:
            raise FrontEndError(
                f"feature {self.name}: {samples.size / rate:.2f} s of sound, it starts at offset_s = {self.offset_s:g}"
            )
        mel = mel_power(np.square(magnitudes(part)), sample_rate_hz=rate, n_mels=N_MELS)
        return _mean(cepstra(decibels(mel), self.n_mfcc))


@dataclass(frozen=True, kw_only=True)
class MeanVectorSpec(FeatureSpec):
    """`(n_mfcc + 12 + n_mels,)` means over time: MFCC, chroma from C on, and mel powers, in this order.

    With `padded`, the sound is cut or followed by zeros to `seconds` first, and the zeros are part of the means;
    without, it is cut only.
    """

    name: ClassVar[str] = "mean-vector"

    seconds: float = 8.0
    n_mfcc: int = 40
    n_mels: int = N_MELS
    padded: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.1 <= self.seconds <= MAX_S:
            self.refuse("seconds", f"limits are 0.1 and {MAX_S:g} s")
        if not 1 <= self.n_mels <= 256:
            self.refuse("n_mels", "limits are 1 and 256")
        if not 1 <= self.n_mfcc <= self.n_mels:
            self.refuse("n_mfcc", f"limits are 1 and n_mels = {self.n_mels}")

    @property
    def shape(self) -> tuple[int]:
        """`(n_mfcc + 12 + n_mels,)`."""
        return (self.n_mfcc + 12 + self.n_mels,)

    def compute(self, samples: F32) -> F32:
        """Return the `(n_mfcc + 12 + n_mels,)` means."""
        count = round(self.seconds * self.sample_rate_hz)
        window = self.validate(samples)[:count]
        power = np.square(magnitudes(fit_length(window, count) if self.padded else window))
        mel = mel_power(power, sample_rate_hz=self.sample_rate_hz, n_mels=self.n_mels)
        tones = chroma(power, self.sample_rate_hz)
        return np.concatenate([_mean(cepstra(decibels(mel), self.n_mfcc)), _mean(tones), _mean(mel)])


def _mean(frames: F32) -> F32:
    mean: F32 = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
