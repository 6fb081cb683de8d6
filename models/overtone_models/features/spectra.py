"""Spectrograms as librosa defines them (centred frames, zero-padded ends), time first: `(frames, bins)`."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from overtone_models.front_end import F32, FrontEndSpec, dct_matrix, mel_filters

F64 = NDArray[np.float64]

FFT_SAMPLES, HOP_SAMPLES = 2048, 512
FLOOR_POWER = 1e-10
TOP_DB = 80.0
A0_HZ, C0_SEMITONES = 27.5, 3
CHROMA_CENTRE_OCTAVE, CHROMA_OCTAVES = 5.0, 2.0
BLOCK_FRAMES = 64


def magnitudes(samples: F32, fft_samples: int = FFT_SAMPLES, hop_samples: int = HOP_SAMPLES) -> F32:
    """Return `(1 + samples // hop, fft / 2 + 1)` magnitudes under Hann's window; frame i has its centre at i * hop."""
    padded = np.pad(samples, fft_samples // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft_samples)[::hop_samples]
    window = hann(fft_samples)
    result = np.empty((len(frames), fft_samples // 2 + 1), np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):  # In blocks: all windowed frames at once would leave the cache.
        block = frames[start : start + BLOCK_FRAMES]
        result[start : start + len(block)] = np.abs(np.fft.rfft(block * window))
    return result


def mel_power(power: F32, *, sample_rate_hz: int, n_mels: int) -> F32:
    """Return `(frames, n_mels)` of `(frames, bins)` power: Slaney's filters from 0 Hz to half the rate."""
    mel: F32 = power @ _mel_filters(sample_rate_hz, 2 * (power.shape[1] - 1), n_mels)
    return mel


def decibels(power: F32, *, top_db: float = TOP_DB) -> F32:
    """Return 10 log10 of `power`, no lower than 1e-10 and than `top_db` below the whole array's largest value."""
    level = 10.0 * np.log10(np.maximum(power, np.float32(FLOOR_POWER)))
    result: F32 = np.maximum(level, level.max() - np.float32(top_db)).astype(np.float32, copy=False)
    return result


def cepstra(mel_db: F32, n_mfcc: int) -> F32:
    """Return the `(frames, n_mfcc)` orthonormal DCT-II of `(frames, n_mels)` decibels."""
    result: F32 = mel_db @ dct(mel_db.shape[1], n_mfcc)
    return result


def chroma(power: F32, sample_rate_hz: int) -> F32:
    """Return `(frames, 12)` strengths of the pitch classes from C (A is 440 Hz), each frame's largest being 1.

    A frame without sound stays 0.
    """
    raw: F32 = power @ chroma_filters(sample_rate_hz, 2 * (power.shape[1] - 1))
    peak = raw.max(axis=1, keepdims=True)
    peak[peak < np.finfo(np.float32).tiny] = 1.0
    result: F32 = raw / peak
    return result


@lru_cache(maxsize=8)
def chroma_filters(sample_rate_hz: int, fft_samples: int) -> F32:
    """Return `(bins, 12)` Gaussian weights of the pitch classes from C (Ellis' chroma, as librosa has it).

    A bin's weights have length 1, times a Gaussian over octaves about octave 5, two octaves wide.
    """
    bins = np.arange(1, fft_samples // 2 + 2)
    semitones = 12.0 * np.log2(bins * (sample_rate_hz / fft_samples) / A0_HZ)
    semitones = np.concatenate([[semitones[0] - 18.0], semitones])  # 0 Hz lies an octave and a half below bin 1.
    width = np.maximum(np.diff(semitones), 1.0)[:, None]
    semitones = semitones[:-1]
    distance = np.remainder(semitones[:, None] - C0_SEMITONES - np.arange(12.0) + 6.0, 12.0) - 6.0
    weights = np.exp(-2.0 * np.square(distance / width))
    weights /= np.sqrt(np.square(weights).sum(axis=1, keepdims=True))
    octaves = (semitones / 12.0 - CHROMA_CENTRE_OCTAVE) / CHROMA_OCTAVES
    filters: F32 = (weights * np.exp(-0.5 * np.square(octaves))[:, None]).astype(np.float32)
    return _frozen(filters)


def triangles(bins_hz: F64, edges_hz: F64) -> F64:
    """Return `(bins, len(edges) - 2)` triangular filters of unit area between neighbouring edges."""
    rise = (bins_hz[:, None] - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    fall = (edges_hz[2:] - bins_hz[:, None]) / (edges_hz[2:] - edges_hz[1:-1])
    result: F64 = np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (edges_hz[2:] - edges_hz[:-2]))
    return result


@lru_cache(maxsize=8)
def dct(n_mels: int, n_mfcc: int) -> F32:
    """Return the `(n_mels, n_mfcc)` orthonormal DCT-II."""
    return _frozen(dct_matrix(FrontEndSpec(n_mels=n_mels, n_mfcc=n_mfcc)))


@lru_cache(maxsize=8)
def _mel_filters(sample_rate_hz: int, fft_samples: int, n_mels: int) -> F32:
    spec = FrontEndSpec(
        sample_rate_hz=sample_rate_hz,
        window_samples=fft_samples,
        fft_samples=fft_samples,
        hop_samples=fft_samples,
        n_mels=n_mels,
        n_mfcc=1,
        fmin_hz=0.0,
        fmax_hz=sample_rate_hz / 2,
    )
    return _frozen(mel_filters(spec))


@lru_cache(maxsize=8)
def hann(size: int) -> F32:
    """Return the periodic Hann window."""
    return _frozen(np.hanning(size + 1)[:-1].astype(np.float32))


def _frozen(array: F32) -> F32:
    """Return the array read-only: every caller of a cached table gets the same one."""
    array.flags.writeable = False
    return array
