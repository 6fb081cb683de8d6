"""34 short-term features of windows of 0.2 s, as pyAudioAnalysis defines them.

In order: zero-crossing rate, energy, entropy of energy; spectral centroid, spread, entropy, flux and roll-off (0.90);
13 MFCC; 12 chroma from A on, and their standard deviation. Samples are normalised to mean 0 and peak 1 first. Spectra
are magnitudes under a rectangular window.

Where this differs from pyAudioAnalysis (feature_extraction, deltas=False):

- MFCC: there, bins are taken for twice their frequency, so that the 13 linear and 27 logarithmic
  filters lie an octave too low. Here they lie where their names say.
- Chroma: there, the bins of one semitone overwrite one another and are divided by the count of another
  semitone; in the code behind the paper, all 13 values came out as 0. Here a semitone's value is the mean
  power of its bins, a pitch class' the sum of its octaves, divided by the window's power.

`as_published` gives the numbers of the published code: filters an octave low, chroma 0.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from overtone_models.errors import FrontEndError
from overtone_models.features.spec import FeatureSpec
from overtone_models.features.spectra import F64, dct, triangles
from overtone_models.front_end import F32

NAMES = (
    "zcr",
    "energy",
    "energy_entropy",
    "spectral_centroid",
    "spectral_spread",
    "spectral_entropy",
    "spectral_flux",
    "spectral_rolloff",
    *(f"mfcc_{n}" for n in range(1, 14)),
    *(f"chroma_{note}" for note in ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")),
    "chroma_std",
)
EPS = float(np.finfo(np.float64).eps)
SUB_BLOCKS = 10
ROLLOFF = 0.90
LINEAR_FILTERS, LOG_FILTERS, N_MFCC = 13, 27, 13
FIRST_EDGE_HZ, LINEAR_STEP_HZ, LOG_STEP = 133.33, 200.0 / 3.0, 1.0711703
A0_HZ = 27.5


@dataclass(frozen=True, kw_only=True)
class ShortTermSpec(FeatureSpec):
    """`(windows, 34)`: cut at the end, or followed by rows of zeros."""

    name: ClassVar[str] = "short-term"

    windows: int = 100
    window_samples: int = 3200
    step_samples: int = 1600
    as_published: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.windows <= 10_000:
            self.refuse("windows", "limits are 1 and 10000")
        if not 200 <= self.window_samples <= 48_000 or self.window_samples % 2:
            self.refuse("window_samples", "it must be even and within 200 and 48000")
        if not 1 <= self.step_samples <= self.window_samples:
            self.refuse("step_samples", f"limits are 1 and window_samples = {self.window_samples}")
        if _edges_hz()[-1] > self.sample_rate_hz / 2:
            self.refuse("sample_rate_hz", f"the filters reach up to {_edges_hz()[-1]:.0f} Hz and need twice that")

    @property
    def shape(self) -> tuple[int, int]:
        """`(windows, 34)`."""
        return self.windows, len(NAMES)

    def compute(self, samples: F32) -> F32:
        """Return `(windows, 34)`; raise FrontEndError for sound shorter than one window."""
        if self.validate(samples).size < self.window_samples:
            raise FrontEndError(
                f"feature {self.name}: {samples.size} samples are shorter than one window of {self.window_samples}"
            )
        frames = np.lib.stride_tricks.sliding_window_view(_normalised(samples), self.window_samples)
        rows = self._rows(frames[:: self.step_samples][: self.windows])
        result = np.zeros(self.shape, np.float32)
        result[: len(rows)] = rows
        return result

    def _rows(self, frames: F64) -> F64:
        """Return `(frames, 34)` of `(frames, window_samples)`."""
        bins = self.window_samples // 2
        magnitude = np.abs(np.fft.rfft(frames)[:, :bins]) / bins
        time = np.stack([_zero_crossings(frames), np.square(frames).mean(axis=1), _entropy(frames)], axis=1)
        spectral = np.stack(
            [*_centroid_and_spread(magnitude), _entropy(magnitude), _flux(magnitude), _rolloff(magnitude)], axis=1
        )
        # The published code takes half of the spectrum for the whole, which doubles each bin's frequency.
        bin_hz = self.sample_rate_hz / self.window_samples * (2 if self.as_published else 1)
        mfcc = np.log10(magnitude @ _filters(bins, bin_hz) + EPS) @ dct(LINEAR_FILTERS + LOG_FILTERS, N_MFCC)
        tones = np.zeros((len(frames), 12)) if self.as_published else _chroma(magnitude, bin_hz)
        return np.concatenate([time, spectral, mfcc, tones, tones.std(axis=1, keepdims=True)], axis=1)


def _normalised(samples: F32) -> F64:
    """Return the samples with mean 0 and peak 1; silence stays 0."""
    centred = samples.astype(np.float64) - samples.mean(dtype=np.float64)
    result: F64 = centred / (np.abs(centred).max() + 1e-10)
    return result


def _zero_crossings(frames: F64) -> F64:
    """Return the share of neighbouring samples between which the sign changes."""
    changes: F64 = np.abs(np.diff(np.sign(frames), axis=1)).sum(axis=1) / (2 * (frames.shape[1] - 1))
    return changes


def _entropy(rows: F64) -> F64:
    """Return the entropy in bits of the energies of 10 equal parts of each row."""
    energy = np.square(rows)
    size = rows.shape[1] // SUB_BLOCKS
    parts = energy[:, : size * SUB_BLOCKS].reshape(len(rows), SUB_BLOCKS, size).sum(axis=2)
    share = parts / (energy.sum(axis=1, keepdims=True) + EPS)
    result: F64 = -(share * np.log2(share + EPS)).sum(axis=1)
    return result


def _centroid_and_spread(magnitude: F64) -> tuple[F64, F64]:
    """Return both as shares of half the sample rate; bin k counts as k + 1, as in pyAudioAnalysis."""
    place = np.arange(1, magnitude.shape[1] + 1) / magnitude.shape[1]
    peak = magnitude.max(axis=1, keepdims=True)
    weight = magnitude / np.where(peak == 0, 1.0, peak)
    total = weight.sum(axis=1) + EPS
    centroid = weight @ place / total
    spread = np.sqrt((np.square(place - centroid[:, None]) * weight).sum(axis=1) / total)
    return centroid, spread


def _flux(magnitude: F64) -> F64:
    """Return the squared distance of each normalised spectrum from the one before; 0 for the first."""
    share = magnitude / (magnitude + EPS).sum(axis=1, keepdims=True)
    change: F64 = np.square(np.diff(share, axis=0, prepend=share[:1])).sum(axis=1)
    return change


def _rolloff(magnitude: F64) -> F64:
    """Return the share of the spectrum below which 90 % of the energy lies."""
    energy = np.square(magnitude)
    above = np.cumsum(energy, axis=1) + EPS > ROLLOFF * energy.sum(axis=1, keepdims=True)
    share: F64 = np.argmax(above, axis=1) / magnitude.shape[1]
    return share


def _chroma(magnitude: F64, bin_hz: float) -> F64:
    """Return `(frames, 12)` from A on."""
    power = np.square(magnitude)
    total = power.sum(axis=1, keepdims=True)
    tones: F64 = power @ _pitch_classes(magnitude.shape[1], bin_hz) / np.where(total == 0, 1.0, total)
    return tones


def _edges_hz() -> F64:
    """Return the 42 edges of the 40 filters: 67 Hz apart up to 933 Hz, then each 7 % above the one before."""
    linear = FIRST_EDGE_HZ + LINEAR_STEP_HZ * np.arange(LINEAR_FILTERS)
    return np.concatenate([linear, linear[-1] * LOG_STEP ** np.arange(1.0, LOG_FILTERS + 3)])


@lru_cache(maxsize=8)
def _filters(bins: int, bin_hz: float) -> F64:
    bins_hz: F64 = np.arange(bins) * np.float64(bin_hz)
    return triangles(bins_hz, _edges_hz())


@lru_cache(maxsize=8)
def _pitch_classes(bins: int, bin_hz: float) -> F64:
    """Return `(bins, 12)` weights: 1 / (bins of the semitone) in its class; bins below A0 belong to none."""
    semitones = np.rint(12.0 * np.log2(np.maximum(np.arange(bins) * bin_hz, 1e-3) / A0_HZ)).astype(np.int64)
    in_range = np.flatnonzero(semitones >= 0)
    weights = np.zeros((bins, 12))
    weights[in_range, semitones[in_range] % 12] = 1.0 / np.bincount(semitones[in_range])[semitones[in_range]]
    return weights
