"""Reading recordings: any sample rate, mono or stereo, WAV/FLAC/OGG/AIFF whatever the file's ending."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from overtone_cloud.errors import AudioError

F32 = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
MAX_DURATION_S = 600.0
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
MAX_CHANNELS = 16
BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What a file's header says of its sound."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    container: str
    encoding: str


def info(path: Path) -> AudioInfo:
    """Return what the header of `path` says, without decoding; raise AudioError when it is not sound."""
    with _opened(path) as sound:
        return AudioInfo(
            duration_s=sound.frames / sound.samplerate,
            sample_rate_hz=sound.samplerate,
            channels=sound.channels,
            container=sound.format,
            encoding=sound.subtype,
        )


def check(path: Path) -> None:
    """Raise AudioError, which names file and limit, where `load` would refuse `path` from its header."""
    with _opened(path) as sound:
        _check_header(path, sound, MAX_DURATION_S)


def load(path: Path, *, sample_rate_hz: int = SAMPLE_RATE_HZ, max_duration_s: float = MAX_DURATION_S) -> F32:
    """Return one float32 channel at `sample_rate_hz`, nominally -1..1; raise AudioError, which names file and limit."""
    if not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
        raise AudioError(f"sample_rate_hz is {sample_rate_hz}, limits are {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz")
    samples, rate_hz = decode(path, max_duration_s=max_duration_s)
    if rate_hz == sample_rate_hz:
        return samples
    resampled: F32 = soxr.resample(samples, rate_hz, sample_rate_hz, quality="HQ")
    if not resampled.size:
        raise AudioError(f"{path}: {samples.size} samples at {rate_hz} Hz are too short to resample")
    return resampled


def decode(path: Path, *, max_duration_s: float = MAX_DURATION_S) -> tuple[F32, int]:
    """Return the mean of the channels as float32 and the file's own rate in Hz.

    A file that is too long is refused from its header, before its sound is read.
    """
    with _opened(path) as sound:
        _check_header(path, sound, max_duration_s)
        try:
            blocks = [np.zeros(0, np.float32), *_mono_blocks(sound)]
        except (soundfile.SoundFileError, OSError) as error:
            raise AudioError(f"{path}: sound cannot be decoded: {_first_line(error)}") from error
        samples, expected, rate_hz = np.concatenate(blocks), sound.frames, int(sound.samplerate)
    if samples.size < expected:
        raise AudioError(f"{path}: holds {samples.size} of the {expected} samples that its header promises")
    if not np.isfinite(samples).all():
        bad = int(np.flatnonzero(~np.isfinite(samples))[0])
        raise AudioError(f"{path}: sample {bad} is not a finite number ({samples[bad]})")
    return samples, rate_hz


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open by content: through a descriptor, so that libsndfile sees no ending that could mislead it."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise AudioError(f"{path}: not a file")
        if size == 0:
            raise AudioError(f"{path}: 0 bytes")
        with path.open("rb", buffering=0) as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            yield sound
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path}: not a sound file that can be read: {_first_line(error)}") from error
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror or error}") from error


def _check_header(path: Path, sound: soundfile.SoundFile, max_duration_s: float) -> None:
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        raise AudioError(f"{path}: sample rate is {sound.samplerate} Hz, limits are {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz")
    if sound.channels > MAX_CHANNELS:
        raise AudioError(f"{path}: {sound.channels} channels, limit is {MAX_CHANNELS}")
    if sound.frames <= 0:
        raise AudioError(f"{path}: no sound in it (0 samples)")
    duration_s = sound.frames / sound.samplerate
    if duration_s > max_duration_s:
        raise AudioError(f"{path}: lasts {duration_s:.1f} s, limit is {max_duration_s:g} s")


def _mono_blocks(sound: soundfile.SoundFile) -> Iterator[F32]:
    """Yield the mean of the channels; in blocks, so that many channels need no more memory than one."""
    while True:
        block: F32 = sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
