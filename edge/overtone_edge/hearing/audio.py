"""Recordings and raw PCM as float32 mono at 16 kHz."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from overtone_edge.core.errors import SourceError
from overtone_models.front_end import F32, FrontEndSpec

RATE_HZ = 16_000


class Resampler:
    """Any rate to 16 kHz, block by block; the same samples whatever the blocks."""

    def __init__(self, rate_hz: int) -> None:
        self._stream: Any = None
        if rate_hz != RATE_HZ:
            import soxr

            self._stream = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")

    def process(self, samples: F32, *, last: bool = False) -> F32:
        """Return what can be given out so far; everything with `last`."""
        if self._stream is None:
            return samples
        out: F32 = self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last=last)
        return out


def mono(frames: F32) -> F32:
    """Return the mean over the channels of `(frames, channels)`."""
    if frames.ndim == 1:
        return frames
    if frames.shape[1] == 1:
        return frames[:, 0]
    mixed: F32 = frames.mean(axis=1, dtype=np.float32)
    return mixed


def from_s16le(data: bytes, channels: int) -> F32:
    """Return mono float32 in -1..1 of interleaved 16-bit little-endian samples."""
    return mono((np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768.0)).reshape(-1, channels))


def from_f32le(data: bytes, channels: int) -> F32:
    """Return mono float32 of interleaved 32-bit little-endian floats."""
    return mono(np.frombuffer(data, "<f4").astype(np.float32).reshape(-1, channels))


def check_finite(samples: F32, where: str, start: int) -> None:
    """Raise SourceError for a sample that is not a finite number; `start` counts from the beginning."""
    bad = np.flatnonzero(~np.isfinite(samples))
    if bad.size:
        raise SourceError(f"{where}: sample {start + int(bad[0])} is not a finite number")


def read_blocks(path: Path, block_ms: int) -> Iterator[F32]:
    """Yield a recording as 16 kHz mono blocks of about `block_ms`.

    WAV, FLAC, OGG or AIFF is told by content, not by the file's ending. Raises SourceError.
    """
    import soundfile

    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        os.close(descriptor)
        raise SourceError(f"{path}: a folder, not a recording")
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        os.close(descriptor)
        raise SourceError(f"{path}: the file is empty (0 bytes)")
    try:
        with soundfile.SoundFile(descriptor, closefd=True) as file:
            yield from _resampled(file, path, block_ms)
    except soundfile.LibsndfileError as error:
        raise SourceError(f"{path}: not a recording that can be read ({error.error_string})") from error


def _resampled(file: Any, path: Path, block_ms: int) -> Iterator[F32]:
    resampler = Resampler(file.samplerate)
    frames = max(1, file.samplerate * block_ms // 1000)
    start = 0
    for block in file.blocks(frames, dtype="float32", always_2d=True):
        samples = mono(block)
        check_finite(samples, str(path), start)
        start += samples.size
        yield resampler.process(samples)
    yield resampler.process(np.zeros(0, np.float32), last=True)


def read_recording(path: Path, *, max_s: float) -> F32:
    """Return a whole recording; raise SourceError where it is longer than `max_s` or shorter than one window."""
    blocks: list[F32] = []
    total = 0
    for block in read_blocks(path, 1000):
        total += block.size
        if total > max_s * RATE_HZ:
            raise SourceError(f"{path} is longer than {max_s:g} s, the limit for one labelled recording")
        blocks.append(block)
    check_length(path, total)
    return np.concatenate(blocks)


def check_length(path: Path, samples: int) -> None:
    """Raise SourceError unless there are enough 16 kHz samples for one window of the front end."""
    needed = FrontEndSpec().fft_samples
    if samples < needed:
        raise SourceError(f"{path} has {samples} samples at 16 kHz, shorter than one window ({needed})")
