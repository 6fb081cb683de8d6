"""Recording conditions: noise, far microphone, telephone, level.

Each is applied to the samples before the gate hears them. What is drawn (which sound, which room) follows from the
condition's seed and the recording's own samples, so that a recording meets the same condition in every run.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from overtone_cloud.conditions.rooms import ROOMS, TRAINING_ROOMS, RoomSpec, impulse_response
from overtone_cloud.conditions.sounds import content_digest, sound
from overtone_cloud.errors import ConfigError
from overtone_common.audio import SAMPLE_RATE_HZ, resample
from overtone_models.front_end import F32
from overtone_models.gate import GateSpec, speech_span

TELEPHONE_RATE_HZ = 8_000
TELEPHONE_BAND_HZ = (300.0, 3_400.0)
MU = 255.0
TRIES = 20
MIN_NOISE_PART = 0.1
TRAINING_SNR_DB = (5.0, 10.0, 15.0)


class Condition(Protocol):
    """A change of a recording before the gate and the features."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    def apply(self, samples: F32) -> F32:
        """Return the float32 samples (16 kHz) after this condition is applied."""

    def to_json(self) -> dict[str, Any]:
        """Return the parameters that determine the result."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise: an everyday sound added to the whole recording; the ratio is that of mean powers during speech."""

    sounds: tuple[Path, ...]
    snr_db: float = 10.0
    seed: int = 0
    gate: GateSpec = field(default_factory=GateSpec)
    digest: str = ""

    name: ClassVar[str] = "noise"

    def __post_init__(self) -> None:
        if not self.sounds:
            raise ConfigError("noise needs at least one sound")
        if not self.digest:
            object.__setattr__(self, "digest", content_digest(self.sounds))

    def apply(self, samples: F32) -> F32:
        """Return the samples with noise added; silence is returned unchanged."""
        first, last = speech_span(samples, self.gate)
        if last <= first:
            first, last = 0, samples.size
        speech = _power(samples[first:last])
        rng = recording_rng(samples, self.seed)
        noise = _looped(sound(self.sounds[int(rng.integers(len(self.sounds)))]), samples.size, (first, last), rng)
        under = _power(noise[first:last])
        if speech == 0.0 or under == 0.0:
            return samples
        gain = np.sqrt(speech / under * 10.0 ** (-self.snr_db / 10.0))
        return (samples + np.float32(gain) * noise).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the sounds' digest, ratio and seed."""
        return {"name": self.name, "sounds": self.digest, "snr_db": self.snr_db, "seed": self.seed, "version": 1}


@dataclass(frozen=True, kw_only=True)
class FarMicrophone:
    """A microphone 1.5 to 4 m away in one of a few simulated rooms; the level is kept, which `Level` changes alone."""

    seed: int = 0
    rooms: tuple[RoomSpec, ...] = ROOMS

    name: ClassVar[str] = "far microphone"

    def apply(self, samples: F32) -> F32:
        """Return the samples convolved with the room's impulse response, including its reverberation tail."""
        from scipy.signal import fftconvolve

        room = self.rooms[int(recording_rng(samples, self.seed).integers(len(self.rooms)))]
        heard: F32 = fftconvolve(samples, impulse_response(room)).astype(np.float32)
        came, went = (float(np.sum(np.square(x, dtype=np.float64))) for x in (samples, heard))
        return heard if went == 0.0 else (heard * np.float32(np.sqrt(came / went))).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the rooms and the seed."""
        return {"name": self.name, "rooms": [room.to_json() for room in self.rooms], "seed": self.seed, "version": 2}


@dataclass(frozen=True, kw_only=True)
class Telephone:
    """A narrow-band call: 300 to 3400 Hz, 8 kHz, 8-bit mu-law (ITU-T G.711)."""

    name: ClassVar[str] = "telephone"

    def apply(self, samples: F32) -> F32:
        """Return the band-limited, mu-law coded samples, as many as in the input."""
        from scipy.signal import butter, sosfilt

        band = butter(8, TELEPHONE_BAND_HZ, "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
        narrow = resample(sosfilt(band, samples).astype(np.float32), SAMPLE_RATE_HZ, TELEPHONE_RATE_HZ)
        wide = resample(mu_law(narrow), TELEPHONE_RATE_HZ, SAMPLE_RATE_HZ)
        return np.pad(wide[: samples.size], (0, max(0, samples.size - wide.size))).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the band and the rate."""
        return {"name": self.name, "band_hz": TELEPHONE_BAND_HZ, "rate_hz": TELEPHONE_RATE_HZ, "version": 1}


@dataclass(frozen=True, kw_only=True)
class Level:
    """The recording made quieter or louder until its peak is `peak_db` below full scale."""

    peak_db: float

    @property
    def name(self) -> str:
        """`peak at -30 dB`."""
        return f"peak at {self.peak_db:g} dB"

    def apply(self, samples: F32) -> F32:
        """Return the samples scaled to the peak level; silence is returned unchanged."""
        peak = float(np.abs(samples).max(initial=0.0))
        if peak == 0.0:
            return samples
        return (samples * np.float32(10.0 ** (self.peak_db / 20.0) / peak)).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the level."""
        return {"name": "level", "peak_db": self.peak_db, "version": 1}


def training_conditions(sounds: Sequence[Path]) -> tuple[Condition, ...]:
    """Return the conditions of trainings; noise only where there are sounds.

    Rooms and sounds are others than those of the tests.
    """
    far = tuple(FarMicrophone(seed=seed, rooms=TRAINING_ROOMS) for seed in (1, 2))
    noisy = tuple(Noise(sounds=tuple(sounds), snr_db=snr_db, seed=int(snr_db)) for snr_db in TRAINING_SNR_DB if sounds)
    return (*far, Telephone(), *noisy)


def mu_law(samples: F32) -> F32:
    """Return samples in -1..1 after 8-bit mu-law coding and decoding; louder ones are clipped."""
    clipped = np.clip(samples, -1.0, 1.0)
    coded = np.rint(np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU) * 127.0) / 127.0
    decoded: F32 = (np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(MU)) / MU).astype(np.float32)
    return decoded


def recording_rng(samples: F32, seed: int) -> np.random.Generator:
    """Return a random generator seeded by the recording's samples and `seed`."""
    content = hashlib.sha256(np.ascontiguousarray(samples).tobytes()).digest()
    return np.random.default_rng([seed, int.from_bytes(content[:8], "little")])


def _looped(noise: F32, size: int, span: tuple[int, int], rng: np.random.Generator) -> F32:
    """Return `size` samples of a sound, repeated, from a drawn place at which it is not quiet under the speech.

    A clip may be mostly silence (one bark): where the drawn places are, it begins with its loudest sample.
    """
    loud = MIN_NOISE_PART * _power(noise)
    for _ in range(TRIES):
        looped = np.resize(np.roll(noise, -int(rng.integers(noise.size))), size)
        if _power(looped[span[0] : span[1]]) >= loud:
            return looped
    start = int(np.abs(noise).argmax()) - span[0]
    return np.resize(np.roll(noise, -start), size)


def _power(samples: F32) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
