"""Loudness and MFCC of windows that are not centred: the 26 mel bands that speech recognisers take."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from overtone_models.features.spectra import BLOCK_FRAMES, dct
from overtone_models.front_end import F32

F64 = NDArray[np.float64]

N_BANDS = 26
LOWEST_HZ, HIGHEST_HZ = 20.0, 8_000.0
FLOOR_POWER = 1e-10
COMPRESSION = 0.33


def mel_power(samples: F32, count: int, window_samples: int, hop_samples: int, sample_rate_hz: int) -> F32:
    """Return `(count, 26)` mean power under Hamming's window in mel bands from 20 Hz to 8 kHz."""
    padded = np.pad(samples, (0, max(0, window_samples - samples.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_samples)[::hop_samples][:count]
    window = np.hamming(window_samples).astype(np.float32)
    fft_samples = 1 << (window_samples - 1).bit_length()
    scale = np.float32(1.0 / float(window @ window))
    filters = _filters(sample_rate_hz, fft_samples)
    result = np.empty((count, N_BANDS), np.float32)
    for start in range(0, count, BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[start : start + BLOCK_FRAMES] * window, fft_samples, axis=1)
        power = (np.square(spectrum.real) + np.square(spectrum.imag)) * scale
        result[start : start + BLOCK_FRAMES] = power.astype(np.float32, copy=False) @ filters
    return result


def loudness(mel: F32, sample_rate_hz: int) -> F32:
    """Return `(frames,)` sums of the bands' perceived loudness: equal-loudness weight, then the power of 0.33."""
    _, middles, _ = _edges(sample_rate_hz)
    perceived = np.power(mel * equal_loudness(middles).astype(np.float32), np.float32(COMPRESSION))
    total: F32 = perceived.sum(axis=1)
    return total


def mfcc(mel: F32, count: int) -> F32:
    """Return `(frames, count)` cepstra 1 to `count` of the bands' natural logarithm."""
    cepstra: F32 = np.log(np.maximum(mel, np.float32(FLOOR_POWER))) @ dct(N_BANDS, count + 1)[:, 1:]
    return cepstra


def equal_loudness(hz: F64) -> F64:
    """Return the ear's weight of power at `hz` relative to its largest (Hermansky, 1990, equation 4)."""
    square = np.square(2.0 * np.pi * hz)
    weight = square * square * (square + 56.8e6) / (np.square(square + 6.3e6) * (square + 0.38e9))
    return np.asarray(weight / weight.max(), np.float64)


@lru_cache(maxsize=4)
def _edges(sample_rate_hz: int) -> tuple[F64, F64, F64]:
    """Return lower edges, middles and upper edges of the bands in Hz, equally spaced in 1127 ln(1 + f / 700) mel."""
    limits = 1127.0 * np.log1p(np.array([LOWEST_HZ, min(HIGHEST_HZ, sample_rate_hz / 2)]) / 700.0)
    hz = 700.0 * np.expm1(np.linspace(limits[0], limits[1], N_BANDS + 2) / 1127.0)
    return hz[:-2], hz[1:-1], hz[2:]


@lru_cache(maxsize=4)
def _filters(sample_rate_hz: int, fft_samples: int) -> F32:
    """Return `(bins, 26)` triangles of height 1 on the mel scale."""
    bins = np.arange(fft_samples // 2 + 1) * (sample_rate_hz / fft_samples)
    mel = 1127.0 * np.log1p(bins / 700.0)
    low, middle, high = (1127.0 * np.log1p(edge / 700.0) for edge in _edges(sample_rate_hz))
    rise = (mel[:, None] - low) / (middle - low)
    fall = (high - mel[:, None]) / (high - middle)
    filters: F32 = np.maximum(0.0, np.minimum(rise, fall)).astype(np.float32)
    filters.flags.writeable = False
    return filters
