"""Inner loops in numpy, equivalent to `compiled.c` and used where that is not built."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
# Whole recordings are computed in parts of this many frames, so that the arrays stay in the CPU's cache.
FRAMES_AT_ONCE = 100


class Frames(Protocol):
    """Interface: computes frames of `fft` samples, one every `hop`, of contiguous float32 samples.

    The shape of `out`, float32 `(blocks, block_frames, width)`, says how many. A frame's values do not depend on the
    number of blocks per call.
    """

    def decibels(self, samples: F32, out: F32) -> None:
        """Write mel powers in decibels to `out`; its width is the number of filters."""

    def cepstra(self, samples: F32, out: F32) -> None:
        """Write cepstra to `out`; its width is the number of cepstra."""


class PlainFrames:
    """Frames in numpy."""

    def __init__(self, window: F32, filters: F32, dct: F32, hop: int, floor: float) -> None:
        # "forward" divides by the length, which the window makes up for: without it numpy 2 computes float32 in
        # float64 and copies twice.
        self._window = window * np.float32(window.size)
        self._filters, self._dct, self._floor = filters, dct, np.float32(floor)
        self._hop_bytes = hop * window.itemsize

    def decibels(self, samples: F32, out: F32) -> None:
        """Write mel powers in decibels to `out`."""
        # One matrix product per block: it may round differently for another number of rows.
        at_once = max(1, FRAMES_AT_ONCE // out.shape[1])
        for first in range(0, len(out), at_once):
            self._part(samples, first, out[first : first + at_once])

    def cepstra(self, samples: F32, out: F32) -> None:
        """Write cepstra to `out`."""
        decibels = np.empty((*out.shape[:2], self._dct.shape[0]), np.float32)
        self.decibels(samples, decibels)
        np.matmul(decibels, self._dct, out=out)

    def _part(self, samples: F32, first: int, out: F32) -> None:
        block_bytes = out.shape[1] * self._hop_bytes
        strides = (block_bytes, self._hop_bytes, samples.itemsize)
        shape = (*out.shape[:2], self._window.size)
        frames: F32 = np.ndarray(shape, np.float32, samples, first * block_bytes, strides)
        # numpy before 2 always gives complex128.
        spectrum = np.fft.rfft(frames * self._window, norm="forward").astype(np.complex64, copy=False)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        np.matmul(power, self._filters, out=out)
        np.maximum(out, self._floor, out=out)
        np.log10(out, out=out)
        out *= np.float32(10.0)


def pcm(samples: F32) -> bytes:
    """Return float32 samples in -1..1 as 16-bit PCM in native byte order, saturated."""
    sound: NDArray[np.int16] = np.clip(np.rint(samples * np.float32(32767.0)), -32768, 32767).astype(np.int16)
    return sound.tobytes()


def pooled(hops: F32, floor: float, out: F32) -> None:
    """Write mean and deviation of `(hops, channels)` to `out`, `(2 * channels,)`; `floor` is added to the variance."""
    channels = hops.shape[1]
    mean, deviation = out[:channels], out[channels:]
    # Bit-identical to `mean` and `var` in a third of their time: twelve numpy calls fewer.
    np.add.reduce(hops, 0, out=mean)
    mean /= len(hops)
    centred = hops - mean
    centred *= centred
    np.add.reduce(centred, 0, out=deviation)
    deviation /= len(hops)
    deviation += np.float32(floor)
    np.sqrt(deviation, out=deviation)
