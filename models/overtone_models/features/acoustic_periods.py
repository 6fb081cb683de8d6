"""Glottal periods by waveform matching, and how much neighbouring ones differ: jitter and shimmer."""

import numpy as np
from numpy.typing import NDArray

from overtone_models.front_end import F32

F64 = NDArray[np.float64]

NEAREST, FARTHEST = 0.8, 1.2
"""The next period is searched for between these shares of the period that the pitch gives."""
SAME_VOICE = 0.3
"""Two periods whose correlation is lower are not neighbours."""
LARGEST_PERIOD_RATIO, LARGEST_AMPLITUDE_RATIO = 1.3, 1.6
"""Neighbours that differ more are errors of the tracking or a change of the sound, not perturbation."""
AMPLITUDE_WIDTH = 0.25
"""A pulse's amplitude is taken from this share of a period to either side of it."""


def pulses(samples: F32, centres: F64, pitch_hz: F64, sample_rate_hz: int) -> list[F64]:
    """Return the pulses' times in samples, one array for each voiced stretch of `pitch_hz` at `centres`."""
    voiced = np.concatenate([[False], pitch_hz > 0, [False]])
    edges = np.flatnonzero(np.diff(voiced.astype(np.int8)))
    signal = samples.astype(np.float64) - float(samples.mean())
    stretches = []
    half_hop = (centres[1] - centres[0]) / 2 if centres.size > 1 else 80.0
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        times = centres[first:last]
        periods = sample_rate_hz / pitch_hz[first:last]
        stretches.extend(_stretch(signal, times, periods, float(half_hop)))
    return stretches


def _stretch(signal: F64, times: F64, periods: F64, margin: float) -> list[F64]:
    """Return one stretch's pulses from its loudest middle pulse outwards; several arrays where the chain breaks."""
    begin, end = max(times[0] - margin, 0.0), min(times[-1] + margin, signal.size - 1.0)
    middle = (begin + end) / 2
    period = float(np.interp(middle, times, periods))
    low = max(0, int(middle - period / 2))
    around = np.abs(signal[low : int(middle + period / 2) + 1])
    start = low + float(around.argmax())
    chains: list[list[float]] = [[start]]
    for direction in (-1, 1):
        place, chain = start, chains[0]
        while True:
            period = float(np.interp(place, times, periods))
            step, likeness = _matching_step(signal, place, period, direction)
            place += direction * step
            if step <= 0 or not begin <= place <= end:
                break
            if likeness < SAME_VOICE:
                chain = []
                chains.append(chain)
            chain.append(place)
    return [np.sort(np.array(chain)) for chain in chains if len(chain) > 1]


def _matching_step(signal: F64, place: float, period: float, direction: int) -> tuple[float, float]:
    """Return the distance to the next pulse where the waveform is most alike, and the correlation there.

    0 where the signal ends first.
    """
    size, near, far = round(period), int(NEAREST * period), int(np.ceil(FARTHEST * period))
    start = round(place) - size // 2
    low = start + (near if direction > 0 else -far)
    if start < 0 or start + size > signal.size or low < 0 or low + size + far - near > signal.size:
        return 0.0, 0.0
    here = signal[start : start + size]
    there = signal[low : low + size + far - near]
    squares = np.concatenate([[0.0], np.cumsum(there * there)])
    energy = np.maximum(squares[size:] - squares[:-size], 1e-12)
    alike = np.correlate(there, here, "valid") / np.sqrt(energy * max(float(here @ here), 1e-12))
    best = int(alike.argmax())
    step = (near + best) if direction > 0 else (far - best)
    if not 0 < best < alike.size - 1:
        return float(step), float(alike[best])
    before, top, after = alike[best - 1 : best + 2]
    bend = before - 2.0 * top + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(step + direction * offset), float(top)


def perturbations(samples: F32, voices: list[F64], centres: F64, window_samples: int) -> tuple[F64, F64]:
    """Return `(frames,)` local jitter and shimmer: mean difference of neighbours over their mean; 0 without pairs."""
    period_pairs: list[F64] = []
    amplitude_pairs: list[F64] = []
    for times in voices:
        periods = np.diff(times)
        amplitudes = _amplitudes(samples, times, np.concatenate([periods[:1], periods]))
        period_pairs.append(_pairs(times[1:-1], periods, LARGEST_PERIOD_RATIO))
        amplitude_pairs.append(_pairs((times[1:] + times[:-1]) / 2, amplitudes, LARGEST_AMPLITUDE_RATIO))
    return (
        _in_windows(period_pairs, centres, window_samples),
        _in_windows(amplitude_pairs, centres, window_samples),
    )


def _pairs(times: F64, values: F64, largest_ratio: float) -> F64:
    """Return `(pairs, 3)`: time, difference and mean of neighbours that are not too far apart."""
    one, other = values[:-1], values[1:]
    near = np.maximum(one, other) <= largest_ratio * np.minimum(one, other)
    return np.column_stack([times, np.abs(one - other), (one + other) / 2])[near]


def _in_windows(pairs: list[F64], centres: F64, window_samples: int) -> F64:
    """Return each window's sum of differences over its sum of means."""
    joined = np.concatenate([np.empty((0, 3)), *pairs])
    joined = joined[np.argsort(joined[:, 0], kind="stable")]
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(joined[:, 1:], axis=0)])
    first = np.searchsorted(joined[:, 0], centres - window_samples / 2)
    last = np.searchsorted(joined[:, 0], centres + window_samples / 2)
    difference, mean = (sums[last] - sums[first]).T
    return np.where(last > first, difference / np.maximum(mean, 1e-12), 0.0)


def _amplitudes(samples: F32, times: F64, periods: F64) -> F64:
    """Return the root mean square about each pulse, under Hann's window of a share of its period."""
    reach = AMPLITUDE_WIDTH * periods
    widest = int(np.ceil(reach.max()))
    places = np.rint(times)[:, None] + np.arange(-widest, widest + 1)
    distance = np.minimum(np.abs(places - times[:, None]) / reach[:, None], 1.0)
    weights = 0.5 + 0.5 * np.cos(np.pi * distance)
    values = samples[np.clip(places, 0, samples.size - 1).astype(np.int64)].astype(np.float64)
    amplitudes: F64 = np.sqrt((weights * values * values).sum(axis=1) / weights.sum(axis=1))
    return np.maximum(amplitudes, 1e-9)
