"""A made-up voice: gliding harmonics with formants, breath noise and pauses."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

RATE_HZ = 16_000


def synthesise(
    seconds: float, *, seed: int = 0, rate_hz: int = RATE_HZ, pitch_hz: float = 130.0
) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch = pitch_hz * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * time + seed))
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    voice = np.zeros_like(time)
    for n in range(1, 30):
        strength = sum(np.exp(-0.5 * ((n * pitch - f) / 120.0) ** 2) for f in (600.0, 1400.0, 2600.0)) + 0.05
        voice += strength / n * np.sin(n * phase)
    syllables = np.clip(np.sin(2 * np.pi * 2.3 * time), 0, None) * (time % 1.9 > 0.3)
    sound = 0.2 * syllables * voice + 0.002 * rng.normal(size=time.size)
    return sound.astype(np.float32)


@pytest.fixture(scope="session")
def voice() -> NDArray[np.float32]:
    """3 s at 16 kHz."""
    return synthesise(3.0)


@pytest.fixture(scope="session")
def made_up_voice() -> Callable[..., NDArray[np.float32]]:
    """A function of the seconds (and seed, rate_hz, pitch_hz)."""
    return synthesise
