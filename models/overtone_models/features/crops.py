"""Crops of a linear-frequency spectrogram, centred on voiced frames.

The spectrogram: Hann windows of 1024 samples, hop 256, 513 bins averaged in groups of four to 128 rows
(62.5 Hz each at 16 kHz; the bin at half the rate is left out).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from overtone_models.features.spec import FeatureSpec
from overtone_models.features.spectra import FLOOR_POWER, TOP_DB, magnitudes
from overtone_models.front_end import F32

WINDOW_SAMPLES, HOP_SAMPLES = 1024, 256
ROWS = 128
MIN_PITCH_HZ, MAX_PITCH_HZ = 60.0, 400.0
VOICED_STRENGTH = 0.5
VOICED_LEVEL = 1e-3
"""A frame 30 dB below the loudest does not count as voice: reverberation and hum are periodic too."""


@dataclass(frozen=True, kw_only=True)
class CropSpec(FeatureSpec):
    """`(rows, width)` of the spectrogram about the middle one of the voiced frames.

    `in_decibels` gives decibels below the recording's loudest point, -80..0, in place of magnitudes.
    """

    name: ClassVar[str] = "crop"

    width: int = 128
    rows: int = ROWS
    in_decibels: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_rows(self, self.rows)
        if not 1 <= self.width <= 1024:
            self.refuse("width", "limits are 1 and 1024 frames")

    @property
    def shape(self) -> tuple[int, int]:
        """`(rows, width)`."""
        return self.rows, self.width

    def compute(self, samples: F32) -> F32:
        """Return `(rows, width)`."""
        voiced = voiced_frames(self.validate(samples), self.sample_rate_hz)
        whole = spectrogram(samples, rows=self.rows, in_decibels=self.in_decibels)
        fill = -TOP_DB if self.in_decibels else 0.0
        return cut(whole, int(voiced[len(voiced) // 2]), self.width, fill=fill)


@dataclass(frozen=True, kw_only=True)
class VoicedSpectrogramSpec(FeatureSpec):
    """`(rows + 1, frames)` of a whole recording: the spectrogram that `CropSpec` cuts, and a last row, 1 where voiced.

    For training, which cuts each recording at random places; `frames` depends on the recording.
    """

    name: ClassVar[str] = "voiced-spectrogram"

    rows: int = ROWS
    in_decibels: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_rows(self, self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """`(rows + 1, 0)`: 0 stands for any length."""
        return self.rows + 1, 0

    def compute(self, samples: F32) -> F32:
        """Return `(rows + 1, frames)`."""
        whole = spectrogram(self.validate(samples), rows=self.rows, in_decibels=self.in_decibels)
        mask = np.zeros((1, whole.shape[1]), np.float32)
        mask[0, voiced_frames(samples, self.sample_rate_hz)] = 1.0
        return np.concatenate([whole, mask])


def spectrogram(samples: F32, *, rows: int = ROWS, in_decibels: bool = False) -> F32:
    """Return `(rows, 1 + samples // 256)` magnitudes, or decibels below the loudest point in -80..0."""
    bins = magnitudes(samples, WINDOW_SAMPLES, HOP_SAMPLES)[:, : WINDOW_SAMPLES // 2]
    pooled = bins.reshape(len(bins), rows, -1).mean(axis=2).T
    if not in_decibels:
        return np.ascontiguousarray(pooled)
    level = 20.0 * np.log10(np.maximum(pooled, np.sqrt(np.float32(FLOOR_POWER))))
    result: F32 = np.maximum(level - level.max(), -TOP_DB).astype(np.float32)
    return result


def cut(whole: F32, centre: int, width: int, *, fill: float = 0.0) -> F32:
    """Return `(rows, width)` columns of `(rows, frames)` about frame `centre`.

    Near the ends the crop moves inwards, so that it holds as much sound as there is; a recording
    shorter than `width` stands in the middle of columns of `fill`.
    """
    frames = whole.shape[1]
    if frames <= width:
        before = (width - frames) // 2
        return np.pad(whole, ((0, 0), (before, width - frames - before)), constant_values=fill)
    first = min(max(0, centre - width // 2), frames - width)
    return whole[:, first : first + width].copy()


def voiced_frames(samples: F32, sample_rate_hz: int) -> NDArray[np.int64]:
    """Return the spectrogram's frames that hold voice, ascending; the loudest one alone where none does."""
    power = np.square(magnitudes(samples, 2 * WINDOW_SAMPLES, HOP_SAMPLES))
    level = power.sum(axis=1)
    voiced = (periodicity(power, sample_rate_hz) > VOICED_STRENGTH) & (level > VOICED_LEVEL * level.max())
    return np.flatnonzero(voiced) if voiced.any() else np.array([int(level.argmax())])


def periodicity(power: F32, sample_rate_hz: int) -> F32:
    """Return each frame's largest autocorrelation, about 0..1, at a lag of a voice's pitch (60 to 400 Hz).

    From `(frames, bins)` power of Hann windows. The window's own autocorrelation is divided out (Boersma, 1993).
    """
    fft_samples = 2 * (power.shape[1] - 1)
    shape = np.fft.irfft(np.square(np.abs(np.fft.rfft(np.hanning(fft_samples + 1)[:-1]))))
    lags = slice(int(sample_rate_hz / MAX_PITCH_HZ), int(sample_rate_hz / MIN_PITCH_HZ) + 1)
    correlation = np.fft.irfft(power, axis=1)
    whole = np.maximum(correlation[:, :1], FLOOR_POWER)
    strength: F32 = ((correlation[:, lags] / whole) / (shape[lags] / shape[0])).max(axis=1).astype(np.float32)
    return strength


def _check_rows(spec: FeatureSpec, rows: int) -> None:
    if rows < 1 or (WINDOW_SAMPLES // 2) % rows:
        spec.refuse("rows", f"it must divide {WINDOW_SAMPLES // 2}")
