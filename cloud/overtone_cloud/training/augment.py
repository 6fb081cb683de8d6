"""Augmentation of log-mel spectrograms: gain, noise, vocal tract length, tempo, masks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_cloud.training.examples import Examples, Ints
from overtone_common.toml_config import check_limits, limits
from overtone_models.front_end import F32

F64 = np.ndarray[Any, np.dtype[np.float64]]
DECIBELS = 10.0 / np.log(10.0)
MIX_LEVEL_DB = 10.0
STRETCH_SHARE = 0.5
"""Half of the examples keep their own speed."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Strengths of the augmentation; 0 switches a variation off.

    `conditioned` is the share of utterances taken under one of the training's conditions instead of as recorded.
    """

    gain_db: float = field(default=6.0, metadata=limits(0.0, 60.0))
    noise_probability: float = field(default=0.5, metadata=limits(0.0, 1.0))
    noise_below_speech_db: float = field(default=25.0, metadata=limits(0.0, 100.0))
    vocal_tract_octaves: float = field(default=0.15, metadata=limits(0.0, 1.0))
    stretch: float = field(default=0.15, metadata=limits(0.0, 0.9))
    shift_frames: int = field(default=16, metadata=limits(0, 10_000))
    mask_bands: int = field(default=1, metadata=limits(0, 100))
    mask_band_width: int = field(default=12, metadata=limits(0, 128))
    mask_times: int = field(default=1, metadata=limits(0, 100))
    mask_time_frames: int = field(default=20, metadata=limits(0, 10_000))
    conditioned: float = field(default=0.3, metadata=limits(0.0, 1.0))

    def __post_init__(self) -> None:
        check_limits(self, what="augmentation setting ", error=ConfigError)


def augment(
    source: Examples, rows: Any, views: Ints, spec: Augmentation, frames: int, rng: np.random.Generator
) -> tuple[F32, Ints]:
    """Return variations `(n, frames, n_mels)` of views of the examples in `rows`, in decibels, and each one's frames.

    Examples longer than `frames` are cut at a random place; values beyond an example's frames are undefined.
    """
    starts, lengths = source.starts[rows, views], source.lengths[rows, views]
    x, counts = _stretch(source.flat, starts, lengths, spec, frames, rng)
    if spec.vocal_tract_octaves:
        x = _warp(x, 2.0 ** rng.uniform(-spec.vocal_tract_octaves, spec.vocal_tract_octaves, len(x)))
    if spec.gain_db:
        x += rng.uniform(-spec.gain_db, spec.gain_db, (len(x), 1, 1)).astype(np.float32)
    inside = np.arange(frames) < counts[:, None]
    means = (x.mean(2) * inside).sum(1) / counts
    noisy = np.flatnonzero(rng.random(len(x)) < spec.noise_probability)
    if noisy.size:
        x[noisy] = _add_noise(x[noisy], means[noisy], spec, rng)
    _mask(x, counts, means, spec, rng)
    return x, counts


def mix_sounds(x: F32, counts: Ints, rng: np.random.Generator) -> F32:
    """Return sounds `(n, frames, n_mels)` in decibels, half of them backwards, half with the next one added.

    Everyday sounds are few, while emotions have hundreds of recordings each: this multiplies the sounds.
    """
    n, frames, _ = x.shape
    places = np.broadcast_to(np.arange(frames), (n, frames)).copy()
    backwards = rng.random((n, 1)) < 0.5
    inside = places < counts[:, None]
    places = np.where(inside & backwards, counts[:, None] - 1 - places, places)
    clips = np.take_along_axis(x, places[..., None], axis=1)
    other = np.roll(clips, 1, axis=0) + rng.uniform(-MIX_LEVEL_DB, MIX_LEVEL_DB, (n, 1, 1)).astype(np.float32)
    second = (rng.random((n, 1)) < 0.5) & np.roll(inside, 1, axis=0)
    both = np.float32(DECIBELS) * np.logaddexp(clips / np.float32(DECIBELS), other / np.float32(DECIBELS))
    return np.where(second[..., None], both, clips).astype(np.float32, copy=False)


def _stretch(
    flat: F32, starts: Ints, lengths: Ints, spec: Augmentation, frames: int, rng: np.random.Generator
) -> tuple[F32, Ints]:
    """Return examples with a shifted start, half of them faster or slower, interpolated between frames."""
    n = len(starts)
    shift = rng.integers(0, np.minimum(spec.shift_frames, lengths // 4) + 1)
    factor = np.where(rng.random(n) < STRETCH_SHARE, rng.uniform(1.0 - spec.stretch, 1.0 + spec.stretch, n), 1.0)
    available = np.maximum(((lengths - shift) * factor).astype(np.int64), 1)
    counts = np.minimum(available, frames)
    start = rng.integers(0, available - counts + 1)
    places = shift[:, None] + (start[:, None] + np.arange(frames)) / factor[:, None]
    last = (lengths - 1)[:, None]
    places = np.minimum(places, last)
    low = places.astype(np.int64)
    part = (places - low).astype(np.float32)[..., None]
    before = flat[starts[:, None] + low]
    before += part * (flat[starts[:, None] + np.minimum(low + 1, last)] - before)
    return before, counts


def _warp(x: F32, factors: F64) -> F32:
    """Return `x` read at positions stretched by its factor along its bands (linear interpolation)."""
    last = x.shape[2] - 1
    result = np.empty_like(x)
    for row, factor in enumerate(factors):
        places = np.minimum(np.arange(last + 1) * factor, last)
        low = places.astype(np.int64)
        before = x[row].take(low, axis=1)
        after = x[row].take(np.minimum(low + 1, last), axis=1)
        result[row] = before + (places - low).astype(np.float32) * (after - before)
    return result


def _add_noise(x: F32, means: F64, spec: Augmentation, rng: np.random.Generator) -> F32:
    """Return `x` with coloured stationary noise added in the power domain."""
    tilt = rng.uniform(-10.0, 10.0, (len(x), 1)) * np.linspace(1.0, 0.0, x.shape[2])
    level = means - rng.uniform(0.0, spec.noise_below_speech_db, len(x))
    power = np.exp((level[:, None] + tilt) / DECIBELS).astype(np.float32)[:, None]
    noise = power * rng.standard_exponential(x.shape, dtype=np.float32)
    result: F32 = np.float32(DECIBELS) * np.log(np.exp(x * np.float32(1.0 / DECIBELS)) + noise)
    return result


def _mask(x: F32, counts: Ints, means: F64, spec: Augmentation, rng: np.random.Generator) -> None:
    """Set bands and times of `x` to each example's mean (SpecAugment, Park et al. 2019)."""
    n, frames, bands = x.shape
    hidden = np.zeros((n, frames, bands), bool)
    for _ in range(spec.mask_bands):
        width = np.minimum(rng.integers(0, spec.mask_band_width + 1, n), bands)
        hidden |= _spans(width, rng.integers(0, bands - width + 1), bands)[:, None, :]
    for _ in range(spec.mask_times):
        width = np.minimum(rng.integers(0, spec.mask_time_frames + 1, n), counts // 4)
        hidden |= _spans(width, rng.integers(0, counts - width + 1), frames)[:, :, None]
    np.copyto(x, means.astype(np.float32)[:, None, None], where=hidden)


def _spans(width: Ints, start: Ints, size: int) -> Any:
    """Return `(n, size)`: true from each start on for its width."""
    places = np.arange(size)
    return (places >= start[:, None]) & (places < (start + width)[:, None])
