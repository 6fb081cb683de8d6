"""Augmentation of log-mel spectrograms: what a microphone, a room and another throat would change."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_models.front_end import F32


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far recordings are varied; 0 switches a variation off."""

    gain_db: float = 6.0
    noise_probability: float = 0.5
    noise_below_speech_db: float = 25.0
    vocal_tract_octaves: float = 0.15
    stretch: float = 0.15
    shift_frames: int = 20
    mask_bands: int = 2
    mask_band_width: int = 12
    mask_times: int = 2
    mask_time_frames: int = 25
    mixup_alpha: float = 0.2

    LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        "gain_db": (0.0, 60.0),
        "noise_probability": (0.0, 1.0),
        "noise_below_speech_db": (0.0, 100.0),
        "vocal_tract_octaves": (0.0, 1.0),
        "stretch": (0.0, 0.9),
        "shift_frames": (0, 10_000),
        "mask_bands": (0, 100),
        "mask_band_width": (0, 128),
        "mask_times": (0, 100),
        "mask_time_frames": (0, 10_000),
        "mixup_alpha": (0.0, 10.0),
    }

    def __post_init__(self) -> None:
        for name, (low, high) in self.LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"augmentation setting {name} is {value}, limit is {low:g}..{high:g}")


def augment(decibels: F32, spec: Augmentation, rng: np.random.Generator) -> F32:
    """Return a variation of `(frames, n_mels)` log-mel decibels."""
    x = _shifted(decibels, spec, rng)
    if spec.vocal_tract_octaves:
        x = _warped(x, 2.0 ** rng.uniform(-spec.vocal_tract_octaves, spec.vocal_tract_octaves))
    if spec.stretch and rng.random() < 0.5:
        x = _stretched(x, rng.uniform(1.0 - spec.stretch, 1.0 + spec.stretch))
    x = x + np.float32(rng.uniform(-spec.gain_db, spec.gain_db))
    if rng.random() < spec.noise_probability:
        x = _noisy(x, spec, rng)
    return _masked(x, spec, rng)


def _shifted(x: F32, spec: Augmentation, rng: np.random.Generator) -> F32:
    room = min(spec.shift_frames, max(0, len(x) // 4))
    return x[int(rng.integers(0, room + 1)) :]


def _warped(x: F32, factor: float) -> F32:
    """Return `x` read at positions stretched by `factor` along its bands (linear interpolation)."""
    last = x.shape[1] - 1
    places = np.clip(np.arange(last + 1) * factor, 0, last - 1e-3)
    low = places.astype(int)
    part = (places - low).astype(np.float32)
    result: F32 = x[:, low] * (1 - part) + x[:, low + 1] * part
    return result


def _stretched(x: F32, factor: float) -> F32:
    places = np.linspace(0, len(x) - 1.001, max(2, int(len(x) * factor)))
    low = places.astype(int)
    part = (places - low).astype(np.float32)[:, None]
    result: F32 = x[low] * (1 - part) + x[low + 1] * part
    return result


def _noisy(x: F32, spec: Augmentation, rng: np.random.Generator) -> F32:
    """Return `x` with coloured stationary noise added in the power domain."""
    tilt = np.linspace(rng.uniform(-10.0, 10.0), 0.0, x.shape[1])
    level = float(x.mean()) - rng.uniform(0.0, spec.noise_below_speech_db)
    power = 10.0 ** ((level + tilt) / 10.0) * rng.exponential(size=x.shape)
    return (10.0 * np.log10(10.0 ** (x / 10.0) + power)).astype(np.float32)


def _masked(x: F32, spec: Augmentation, rng: np.random.Generator) -> F32:
    """Return `x` with bands and times set to its mean (SpecAugment, Park et al. 2019)."""
    x = x.astype(np.float32)
    mean = x.mean()
    for _ in range(spec.mask_bands):
        width = min(int(rng.integers(0, spec.mask_band_width + 1)), x.shape[1])
        start = int(rng.integers(0, x.shape[1] - width + 1))
        x[:, start : start + width] = mean
    for _ in range(spec.mask_times):
        width = min(int(rng.integers(0, spec.mask_time_frames + 1)), len(x) // 4)
        start = int(rng.integers(0, len(x) - width + 1))
        x[start : start + width] = mean
    return x


def mixup(x: F32, mask: F32, y: F32, alpha: float, rng: np.random.Generator) -> tuple[F32, F32, F32]:
    """Return a batch mixed with itself in another order (Zhang et al. 2018)."""
    if alpha <= 0:
        return x, mask, y
    part = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    part = np.maximum(part, 1 - part)
    other = rng.permutation(len(x))
    wide = part[:, None, None]
    mixed = x * wide + x[other] * (1 - wide)
    return mixed, np.maximum(mask, mask[other]), y * part[:, None] + y[other] * (1 - part[:, None])
