"""Front end: streaming MFCC of 16 kHz speech as librosa defines them, equal to those of the whole recording.

The streaming form gives the same numbers to the bit for any size of the blocks that samples come
in, because frames are always computed in groups of `block_frames` counted from the beginning.
librosa's `top_db` is left out: it clips against the loudest frame of the whole recording, which a
stream cannot know.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.digests import digest_mapping
from overtone_models.errors import FrontEndError
from overtone_models.loops import Frames, frames

F32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FrontEndSpec:
    """Parameters of the features; two models with the same digest take the same input."""

    sample_rate_hz: int = SAMPLE_RATE_HZ
    window_samples: int = 512
    fft_samples: int = 512
    hop_samples: int = 160
    n_mels: int = 64
    n_mfcc: int = 40
    fmin_hz: float = 20.0
    fmax_hz: float = 7_600.0
    floor_power: float = 1e-10
    block_frames: int = 10

    def __post_init__(self) -> None:
        self._check_kinds()
        if not 0 < self.hop_samples <= self.window_samples <= self.fft_samples:
            raise FrontEndError(
                f"front end needs 0 < hop_samples <= window_samples <= fft_samples, got "
                f"{self.hop_samples}, {self.window_samples}, {self.fft_samples}"
            )
        if not 0 < self.n_mfcc <= self.n_mels:
            raise FrontEndError(f"n_mfcc is {self.n_mfcc}, limit is n_mels = {self.n_mels}")
        if not 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate_hz / 2:
            raise FrontEndError(
                f"fmin_hz {self.fmin_hz} and fmax_hz {self.fmax_hz} do not lie within 0..{self.sample_rate_hz / 2:g} Hz"
            )
        if self.block_frames < 1:
            raise FrontEndError(f"block_frames is {self.block_frames}, it must be at least 1")
        if not 0 < self.floor_power < math.inf:
            raise FrontEndError(f"floor_power is {self.floor_power}, it must be positive and finite")

    def _check_kinds(self) -> None:
        """Convert every value to its field's type, so that equal specifications have equal digests."""
        for item in fields(self):
            value = getattr(self, item.name)
            whole = isinstance(item.default, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                kind = "whole number" if whole else "number"
                raise FrontEndError(f"{item.name} is {value!r}, it must be a {kind}")
            if not whole:
                object.__setattr__(self, item.name, float(value))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the parameters, hexadecimal."""
        return digest_mapping(asdict(self))

    def frames(self, samples: int) -> int:
        """Return how many whole frames (of `fft_samples`) `samples` hold."""
        return max(0, 1 + (samples - self.fft_samples) // self.hop_samples)

    @property
    def block_samples(self) -> int:
        """Samples that one block of `block_frames` frames spans."""
        return (self.block_frames - 1) * self.hop_samples + self.fft_samples

    @property
    def hop_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_samples / self.sample_rate_hz


EDGE_FRONT_END = FrontEndSpec(hop_samples=200, n_mfcc=64, block_frames=8)
"""Front end of edge networks of the standard sizes: a hop of 100 ms is 8 frames of 12.5 ms, which strides of 2
divide."""


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Slaney's mel scale: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + np.log(np.maximum(hz, 1e-9) / 1000.0) * 27.0 / np.log(6.4))


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of `hz_to_mel`."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


def mel_filters(spec: FrontEndSpec) -> F32:
    """Return `(bins, n_mels)` triangular filters of unit area (Slaney's normalisation)."""
    bins = np.arange(spec.fft_samples // 2 + 1) * (spec.sample_rate_hz / spec.fft_samples)
    limits = hz_to_mel(np.array([spec.fmin_hz, spec.fmax_hz]))
    edges = mel_to_hz(np.linspace(limits[0], limits[1], spec.n_mels + 2))
    width = np.diff(edges)
    rise = (bins[:, None] - edges[:-2]) / width[:-1]
    fall = (edges[2:] - bins[:, None]) / width[1:]
    triangles = np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (edges[2:] - edges[:-2]))
    empty = np.flatnonzero(triangles.max(axis=0) == 0)
    if empty.size:
        raise FrontEndError(
            f"n_mels is {spec.n_mels}: filter {int(empty[0])} falls between the FFT's bins; "
            f"use fewer mels or a longer fft_samples than {spec.fft_samples}"
        )
    filters: F32 = triangles.astype(np.float32)
    return filters


def dct_matrix(spec: FrontEndSpec) -> F32:
    """Return the `(n_mels, n_mfcc)` orthonormal DCT-II."""
    n = np.arange(spec.n_mels)[:, None]
    k = np.arange(spec.n_mfcc)[None]
    matrix = np.cos(np.pi * k * (2 * n + 1) / (2 * spec.n_mels)) * np.sqrt(2.0 / spec.n_mels)
    matrix[:, 0] /= np.sqrt(2.0)
    dct: F32 = matrix.astype(np.float32)
    return dct


def hann_window(spec: FrontEndSpec) -> F32:
    """Return the `(fft_samples,)` periodic Hann window of `window_samples`, in the middle of zeros."""
    margin = spec.fft_samples - spec.window_samples
    hann = np.hanning(spec.window_samples + 1)[:-1]
    return np.pad(hann, (margin // 2, margin - margin // 2)).astype(np.float32)


@lru_cache(maxsize=8)
def _frames(spec: FrontEndSpec) -> Frames:
    tables = hann_window(spec), mel_filters(spec), dct_matrix(spec)
    return frames(*tables, hop=spec.hop_samples, floor=spec.floor_power)


class FrontEnd:
    """Streaming MFCC: `process(samples) -> (frames, n_mfcc)`, with `flush()` and `reset()`.

    Samples are float32 in -1..1 at `spec.sample_rate_hz`, in blocks of any size; the frames are the same for each:

    >>> import numpy as np
    >>> from overtone_models import FrontEnd, FrontEndSpec
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000, dtype=np.float32) / 16_000)
    >>> front_end = FrontEnd(FrontEndSpec(n_mfcc=13))
    >>> blocks = [front_end.process(tone[start : start + 1024]) for start in range(0, tone.size, 1024)]
    >>> frames = np.concatenate([*blocks, front_end.flush()])
    >>> frames.shape, frames.dtype
    ((97, 13), dtype('float32'))
    >>> whole = np.concatenate([front_end.process(tone), front_end.flush()])
    >>> np.array_equal(frames, whole)
    True
    """

    def __init__(self, spec: FrontEndSpec) -> None:
        self.spec = spec
        self._frames = _frames(spec)
        self._reach, self._step = spec.block_samples, spec.block_frames * spec.hop_samples
        self._none = np.empty((0, spec.n_mfcc), np.float32)
        self.reset()

    def reset(self) -> None:
        """Drop the samples buffered for the next block."""
        self._tail = np.zeros(0, np.float32)

    def process(self, samples: F32) -> F32:
        """Return the frames of the blocks that `samples`, float32 in -1..1, complete."""
        check_samples(samples)
        joined = np.concatenate((self._tail, samples))
        blocks = 1 + (joined.size - self._reach) // self._step
        if blocks <= 0:
            self._tail = joined
            return self._none
        self._tail = joined[blocks * self._step :].copy()
        return self._cepstra(joined, blocks)

    def flush(self) -> F32:
        """Return the whole frames of a last, incomplete block, and reset."""
        count = self.spec.frames(self._tail.size)
        padded = np.pad(self._tail, (0, self._reach))
        self.reset()
        return self._cepstra(padded, 1)[:count]

    def _cepstra(self, samples: F32, blocks: int) -> F32:
        cepstra = np.empty((blocks, self.spec.block_frames, self.spec.n_mfcc), np.float32)
        self._frames.cepstra(samples, cepstra)
        return cepstra.reshape(-1, self.spec.n_mfcc)


def check_samples(samples: F32) -> None:
    """Raise FrontEndError unless `samples` is one finite float32 channel."""
    if samples.dtype != np.float32 or samples.ndim != 1:
        raise FrontEndError(f"samples must be one float32 channel, got {samples.dtype} of shape {samples.shape}")
    if not np.isfinite(samples).all():
        bad = int(np.flatnonzero(~np.isfinite(samples))[0])
        raise FrontEndError(f"sample {bad} is not a finite number ({samples[bad]})")


def mfcc(samples: F32, spec: FrontEndSpec) -> F32:
    """Return the `(frames, n_mfcc)` MFCC of a whole recording, equal to those of a streaming `FrontEnd`."""
    return _whole(samples, spec, _frames(spec).cepstra, spec.n_mfcc)


def log_mel(samples: F32, spec: FrontEndSpec) -> F32:
    """Return `(frames, n_mels)` decibels of a whole recording; times `dct_matrix(spec)` they are its MFCC."""
    return _whole(samples, spec, _frames(spec).decibels, spec.n_mels)


def _whole(samples: F32, spec: FrontEndSpec, compute: Callable[[F32, F32], None], width: int) -> F32:
    """Return `(frames, width)` of all whole frames, computed in whole blocks."""
    check_samples(samples)
    count = spec.frames(samples.size)
    out = np.empty((-(-count // spec.block_frames), spec.block_frames, width), np.float32)
    if count:
        reach = (len(out) - 1) * spec.block_frames * spec.hop_samples + spec.block_samples
        padded = np.zeros(max(reach, samples.size), np.float32)
        padded[: samples.size] = samples
        compute(padded, out)
    return out.reshape(-1, width)[:count]
