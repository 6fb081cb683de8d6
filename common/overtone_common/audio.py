"""Reads recordings (WAV, FLAC, OGG, AIFF, detected by content) and raw PCM as float32 mono, and resamples them.

The device takes a recording block by block (`read_blocks`), the cloud as a whole (`load`). Both check it the same way
and raise the caller's `error` in one line that names the file. No other module imports soundfile or soxr.
"""

import io
import stat
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import soundfile

F32 = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
"""Rate of all sound inside Overtone."""
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
MAX_CHANNELS = 32
BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What a file's header says of its sound."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    container: str
    encoding: str


def info(path: Path, *, error: type[Exception]) -> AudioInfo:
    """Return what the header of `path` says, without decoding and without limits."""
    with _opened(path, error, whole=True) as sound:
        return AudioInfo(
            duration_s=sound.frames / sound.samplerate,
            sample_rate_hz=sound.samplerate,
            channels=sound.channels,
            container=sound.format,
            encoding=sound.subtype,
        )


def check(path: Path, *, error: type[Exception], max_duration_s: float) -> None:
    """Raise `error`, which names file and limit, where `load` would refuse `path` from its header."""
    with _opened(path, error, whole=True) as sound:
        _check_header(path, sound, error, max_duration_s)


def load(path: Path, *, error: type[Exception], max_duration_s: float, sample_rate_hz: int = SAMPLE_RATE_HZ) -> F32:
    """Return a whole recording as `(samples,)` float32 at `sample_rate_hz`, nominally -1..1."""
    if not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
        raise error(f"sample_rate_hz is {sample_rate_hz}, limits are {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz")
    samples, rate_hz = decode(path, error=error, max_duration_s=max_duration_s)
    resampled = resample(samples, rate_hz, sample_rate_hz)
    if not resampled.size:
        raise error(f"{path}: {samples.size} samples at {rate_hz} Hz are too short to resample")
    return resampled


def decode(path: Path, *, error: type[Exception], max_duration_s: float) -> tuple[F32, int]:
    """Return the mean of the channels as float32 and the file's own rate in Hz.

    A file that is too long is refused from its header, before its sound is read.
    """
    with _opened(path, error, whole=True) as sound:
        _check_header(path, sound, error, max_duration_s)
        blocks = [np.zeros(0, np.float32), *_mono_blocks(path, sound, error, BLOCK_FRAMES)]
        return np.concatenate(blocks), int(sound.samplerate)


def read_blocks(path: Path, block_ms: int, *, error: type[Exception]) -> Iterator[F32]:
    """Yield a recording as 16 kHz mono blocks of about `block_ms`; `path` may also be a pipe.

    The same samples come out whatever the blocks.
    """
    with _opened(path, error, whole=False) as sound:
        _check_header(path, sound, error, None)
        resampler = Resampler(sound.samplerate)
        for block in _mono_blocks(path, sound, error, max(1, sound.samplerate * block_ms // 1000)):
            yield resampler.process(block)
        yield resampler.process(np.zeros(0, np.float32), last=True)


def read_pieces(path: Path, piece_s: float, *, error: type[Exception]) -> Iterator[tuple[F32, int]]:
    """Yield a recording in mono pieces of `piece_s` at its own rate, each with that rate in Hz."""
    with _opened(path, error, whole=True) as sound:
        _check_header(path, sound, error, None)
        for block in _mono_blocks(path, sound, error, max(1, int(piece_s * sound.samplerate))):
            yield block, int(sound.samplerate)


def wav_bytes(samples: F32) -> bytes:
    """Return 16 kHz mono samples as a 16-bit WAV file; louder ones than 1 saturate."""
    pcm = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def write_flac(path: Path, samples: F32, *, error: type[Exception]) -> None:
    """Write 16 kHz mono samples as 16-bit FLAC; louder ones than 1 saturate."""
    import soundfile

    try:
        soundfile.write(path, np.clip(samples, -1.0, 1.0), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    except (soundfile.SoundFileError, OSError) as problem:
        raise error(f"{path}: cannot be written: {_first_line(problem)}") from problem


@contextmanager
def _opened(path: Path, error: type[Exception], *, whole: bool) -> "Iterator[soundfile.SoundFile]":
    """Open by content: through a descriptor, so that libsndfile sees no ending that could mislead it.

    With `whole` a pipe is refused: its header does not tell how long it is.
    """
    import soundfile

    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{path}: a folder, not a recording")
        if whole and not stat.S_ISREG(status.st_mode):
            raise error(f"{path}: not a file")
        if stat.S_ISREG(status.st_mode) and status.st_size == 0:
            raise error(f"{path}: the file is empty (0 bytes)")
        with path.open("rb", buffering=0) as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            yield sound
    except soundfile.SoundFileError as problem:
        raise error(f"{path}: not a recording that can be read: {_first_line(problem)}") from problem
    except OSError as problem:
        raise error(f"{path}: {problem.strerror or problem}") from problem


def _check_header(
    path: Path, sound: "soundfile.SoundFile", error: type[Exception], max_duration_s: float | None
) -> None:
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        raise error(f"{path}: sample rate is {sound.samplerate} Hz, limits are {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz")
    if sound.channels > MAX_CHANNELS:
        raise error(f"{path}: {sound.channels} channels, limit is {MAX_CHANNELS}")
    if not sound.seekable():
        return  # what a pipe's header says of its length is a guess
    if sound.frames <= 0:
        raise error(f"{path}: no sound in it (0 samples)")
    duration_s = sound.frames / sound.samplerate
    if max_duration_s is not None and duration_s > max_duration_s:
        raise error(f"{path}: lasts {duration_s:.1f} s, limit is {max_duration_s:g} s")


def _mono_blocks(path: Path, sound: "soundfile.SoundFile", error: type[Exception], frames: int) -> Iterator[F32]:
    """Yield the mean of the channels; in blocks, so that many channels need no more memory than one."""
    import soundfile

    start = 0
    while True:
        try:
            block: F32 = sound.read(frames, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as problem:
            raise error(f"{path}: sound cannot be decoded: {_first_line(problem)}") from problem
        if not len(block):
            break
        samples = mono(block)
        check_finite(samples, str(path), start, error=error)
        start += samples.size
        yield samples
    if start < sound.frames and sound.seekable():
        raise error(f"{path}: holds {start} of the {sound.frames} samples that its header promises")


def _first_line(problem: Exception) -> str:
    text = str(problem).strip() or type(problem).__name__
    return text.splitlines()[0]


class Resampler:
    """Any rate to 16 kHz, block by block; the same samples whatever the blocks."""

    def __init__(self, rate_hz: int) -> None:
        self._stream: Any = None
        if rate_hz != SAMPLE_RATE_HZ:
            import soxr

            self._stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")

    def process(self, samples: F32, *, last: bool = False) -> F32:
        """Return the samples that are ready; all that remain with `last`."""
        if self._stream is None:
            return samples
        out: F32 = self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last=last)
        return out


def resample(samples: F32, from_hz: int, to_hz: int) -> F32:
    """Return a whole signal at another rate (soxr, high quality); the same array where the rates agree."""
    if from_hz == to_hz:
        return samples
    import soxr

    resampled: F32 = soxr.resample(samples, from_hz, to_hz, quality="HQ")
    return resampled


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


def check_finite(samples: F32, where: str, start: int, *, error: type[Exception]) -> None:
    """Raise `error` for a sample that is not a finite number; `start` counts from the beginning."""
    bad = np.flatnonzero(~np.isfinite(samples))
    if bad.size:
        place = int(bad[0])
        raise error(f"{where}: sample {start + place} is not a finite number ({samples[place]})")
