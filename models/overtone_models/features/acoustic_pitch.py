"""Pitch from the autocorrelation, and the best path through its candidates (Boersma, 1993)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from overtone_models.front_end import F32

F64 = NDArray[np.float64]

PERIODS = 3.0
"""Periods of the lowest pitch in one window."""
CANDIDATES = 7
FINER = 2
"""The correlation is interpolated (exactly, by zero-padding its spectrum) to this many points per sample."""
SILENCE, VOICING = 0.03, 0.45
OCTAVE_COST, JUMP_COST, VOICING_COST = 0.01, 0.35, 0.14
IMPOSSIBLE = -1e6
LARGEST_CORRELATION = 1.0 - 1e-5
BLOCK_FRAMES = 128


@dataclass(frozen=True, kw_only=True)
class PitchLimits:
    """Lowest and highest pitch of the search."""

    floor_hz: float
    ceiling_hz: float


@dataclass(frozen=True)
class _Candidates:
    """`(frames, CANDIDATES)` lags in samples and correlations (0 where there is none), and `(frames,)` peaks."""

    lags: F64
    correlations: F64
    peaks: F64


def pitch_track(samples: F32, centres: F64, limits: PitchLimits, sample_rate_hz: int) -> tuple[F64, F64]:
    """Return `(frames,)` pitch in Hz and log HNR in dB about `centres` (in samples); both 0 without voice."""
    candidates = _candidates(samples, centres, limits, sample_rate_hz)
    loudest = float(np.abs(samples - samples.mean()).max())
    hz = np.where(candidates.lags > 0, sample_rate_hz / np.maximum(candidates.lags, 1.0), 0.0)
    quiet = candidates.peaks / max(loudest, 1e-12) * ((1.0 + VOICING) / SILENCE)
    unvoiced = VOICING + np.maximum(0.0, 2.0 - quiet)
    octaves = np.log2(np.maximum(hz, 1.0) / limits.floor_hz)
    voiced = np.where(candidates.lags > 0, candidates.correlations + OCTAVE_COST * octaves, IMPOSSIBLE)
    path = best_path(np.column_stack([unvoiced, voiced]), octaves)
    places = np.maximum(path - 1, 0)[:, None]
    here = path > 0
    pitch_hz = np.where(here, np.take_along_axis(hz, places, 1)[:, 0], 0.0)
    share = np.clip(np.take_along_axis(candidates.correlations, places, 1)[:, 0], 1e-5, LARGEST_CORRELATION)
    return pitch_hz, np.where(here, 10.0 * np.log10(share / (1.0 - share)), 0.0)


def best_path(strengths: F64, octaves: F64) -> NDArray[np.int64]:
    """Return each frame's state (0 for no voice) on the path with the largest strengths minus transition costs.

    `strengths` is `(frames, 1 + candidates)`, its first column no voice; `octaves` `(frames, candidates)`.
    """
    frames, states = strengths.shape
    costs = np.empty((max(frames - 1, 0), states, states))
    costs[:, 0, :] = costs[:, :, 0] = VOICING_COST
    costs[:, 0, 0] = 0.0
    costs[:, 1:, 1:] = JUMP_COST * np.abs(octaves[:-1, :, None] - octaves[1:, None, :])
    came = np.zeros((frames, states), np.int64)
    total = strengths[0]
    for i in range(1, frames):
        reached = total[:, None] - costs[i - 1]
        came[i] = reached.argmax(axis=0)
        total = reached.max(axis=0) + strengths[i]
    path = np.empty(frames, np.int64)
    path[-1] = total.argmax()
    for i in range(frames - 1, 0, -1):
        path[i - 1] = came[i, path[i]]
    return path


def _candidates(samples: F32, centres: F64, limits: PitchLimits, sample_rate_hz: int) -> _Candidates:
    """Return the strongest maxima of every window's autocorrelation, windows in blocks that stay in the cache."""
    size = 2 * round(PERIODS * sample_rate_hz / limits.floor_hz / 2)
    starts = np.rint(centres - size / 2).astype(np.int64) + size
    padded = np.pad(samples, (size, 2 * size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)
    blocks = [_of_block(frames[s], limits, sample_rate_hz) for s in _split(starts)]
    lags, correlations, peaks = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return _Candidates(lags, correlations, peaks)


def _split(starts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [starts[i : i + BLOCK_FRAMES] for i in range(0, starts.size, BLOCK_FRAMES)]


def _of_block(frames: F32, limits: PitchLimits, sample_rate_hz: int) -> tuple[F64, F64, F64]:
    centred = frames - frames.mean(axis=1, keepdims=True)
    first = FINER * sample_rate_hz / limits.ceiling_hz
    last = FINER * sample_rate_hz / limits.floor_hz
    window, shape = _window(frames.shape[1], int(last) + 3)
    correlation = _correlation(centred * window, shape.size)
    whole = np.maximum(correlation[:, :1], 1e-12)
    normal = correlation / whole / shape
    middle, before, after = normal[:, 1:-1], normal[:, :-2], normal[:, 2:]
    places = np.arange(1, normal.shape[1] - 1)
    maxima = (middle > before) & (middle >= after) & (middle > VOICING / 2) & (places >= first) & (places <= last)
    lags, correlations = _strongest(normal, np.where(maxima, middle, 0.0))
    return lags / FINER, correlations, np.abs(centred).max(axis=1)


def _strongest(normal: F64, maxima: F64) -> tuple[F64, F64]:
    """Return lags (in points) and heights of the highest maxima, from the parabola through three points."""
    lag_bonus = OCTAVE_COST * np.log2(np.arange(1, maxima.shape[1] + 1))
    ranked = np.where(maxima > 0, maxima - lag_bonus, -np.inf)
    places = np.argpartition(-ranked, CANDIDATES, axis=1)[:, :CANDIDATES]
    there = np.take_along_axis(maxima, places, 1) > 0
    left, top, right = (np.take_along_axis(normal, places + k, 1) for k in range(3))
    bend = np.where(there, left - 2.0 * top + right, -1.0)
    offset = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    height = top - 0.25 * (left - right) * offset
    # In short lags the division by the window's own correlation can overshoot.
    height = np.where(height > 1.0, 1.0 / np.maximum(height, 1.0), height)
    return np.where(there, places + 1 + offset, 0.0), np.where(there, height, 0.0)


def _correlation(frames: F64 | F32, points: int) -> F64:
    """Return `(frames, points)` autocorrelations at `FINER` points per sample."""
    fft_samples = 1 << int(np.ceil(np.log2(frames.shape[1] + points / FINER)))
    spectrum = np.fft.rfft(frames, fft_samples, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    correlation: F64 = np.fft.irfft(power, FINER * fft_samples, axis=1)[:, :points].astype(np.float64)
    return correlation


@lru_cache(maxsize=4)
def _window(size: int, points: int) -> tuple[F32, F64]:
    """Return Hann's window and its own autocorrelation, 1 at lag 0."""
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    shape = _correlation(window[None], points)[0]
    return window, shape / shape[0]
