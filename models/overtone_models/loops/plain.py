"""Inner loops with numpy, equivalent to `compiled.c` and used where that is not built."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
# Whole recordings go through in parts of this many frames, whose arrays stay in the processor's cache.
FRAMES_AT_ONCE = 100


class Frames(Protocol):
    """Computes frames of `fft` samples, one every `hop`, from the first of contiguous float32 samples on.

    `out`, float32, is `(blocks, block_frames, width)` and says how many. A frame's numbers do not depend on how many
    blocks are asked for at once.
    """

    def decibels(self, samples: F32, out: F32) -> None:
        """Put mel powers in decibels into `out`; its width is the filters'."""

    def cepstra(self, samples: F32, out: F32) -> None:
        """Put cepstra into `out`; its width is the DCT's."""


class PlainFrames:
    """Frames with numpy."""

    def __init__(self, window: F32, filters: F32, dct: F32, hop: int, floor: float) -> None:
        # "forward" divides by the length, which the window makes up for: without it numpy 2 computes float32 in
        # float64 and copies twice.
        self._window = window * np.float32(window.size)
        self._filters, self._dct, self._floor = filters, dct, np.float32(floor)
        self._hop_bytes = hop * window.itemsize

    def decibels(self, samples: F32, out: F32) -> None:
        """Put mel powers in decibels into `out`."""
        # A product of matrices is one block's at a time: it may round differently for another number of rows.
        at_once = max(1, FRAMES_AT_ONCE // out.shape[1])
        for first in range(0, len(out), at_once):
            self._part(samples, first, out[first : first + at_once])

    def cepstra(self, samples: F32, out: F32) -> None:
        """Put cepstra into `out`."""
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
    """Return float32 samples in -1..1 as 16 bits each, in the machine's order; what is louder is cut off."""
    sound: NDArray[np.int16] = np.clip(np.rint(samples * np.float32(32767.0)), -32768, 32767).astype(np.int16)
    return sound.tobytes()


def pooled(hops: F32, floor: float, out: F32) -> None:
    """Put mean and deviation of `(hops, channels)` into `out`, `(2 * channels,)`; `floor` is added to the variance."""
    channels = hops.shape[1]
    mean, deviation = out[:channels], out[channels:]
    # What `mean` and `var` do, to the bit, in a third of their time: twelve numpy calls less.
    np.add.reduce(hops, 0, out=mean)
    mean /= len(hops)
    centred = hops - mean
    centred *= centred
    np.add.reduce(centred, 0, out=deviation)
    deviation /= len(hops)
    deviation += np.float32(floor)
    np.sqrt(deviation, out=deviation)
