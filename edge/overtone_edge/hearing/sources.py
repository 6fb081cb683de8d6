"""Sources of sound: a recording, or any command that writes PCM. The microphone is a module of its own."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from overtone_common.audio import SAMPLE_RATE_HZ, Resampler, from_f32le, from_s16le
from overtone_edge.core.config import SourceConfig
from overtone_edge.core.errors import ConfigError, SourceError
from overtone_edge.hearing.audio import check_finite, check_length, read_blocks
from overtone_models.front_end import F32

MAX_STDERR_BYTES = 500


class Source(Protocol):
    """A stream of float32 mono blocks at 16 kHz."""

    @property
    def overruns(self) -> int:
        """Number of blocks that were lost because they were not read in time."""
        ...

    def blocks(self) -> Iterator[F32]:
        """Yield blocks until the source ends or is closed; raise SourceError where it cannot be read."""
        ...

    def close(self) -> None:
        """End the stream; `blocks` stops soon. May be called from another thread, and twice."""
        ...


class FileSource:
    """A recording, at the pace of real time or as fast as it can be read."""

    overruns = 0

    def __init__(
        self,
        path: Path,
        *,
        block_ms: int = 100,
        paced: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._block_ms = block_ms
        self._paced = paced
        self._now = now
        self._closed = threading.Event()

    def blocks(self) -> Iterator[F32]:
        """Yield the recording; raise SourceError where it is not one, or shorter than one window."""
        start_s, total = self._now(), 0
        for block in read_blocks(self._path, self._block_ms):
            total += block.size
            if self._paced:
                # A block arrives at the time of its last sample.
                self._closed.wait(max(0.0, start_s + total / SAMPLE_RATE_HZ - self._now()))
            if self._closed.is_set():
                return
            if block.size:
                yield block
        check_length(self._path, total)

    def close(self) -> None:
        """Stop before the next block."""
        self._closed.set()


class CommandSource:
    """Any command that writes PCM to its standard output, such as `arecord` or `ffmpeg`."""

    overruns = 0

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._decode = from_s16le if config.sample_format == "s16le" else from_f32le
        self._frame_bytes = config.channels * (2 if config.sample_format == "s16le" else 4)
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()

    def blocks(self) -> Iterator[F32]:
        """Yield what the command writes until it ends; raise SourceError where it fails."""
        process = self._start()
        stderr_tail = _StderrTail(process.stderr)
        try:
            yield from self._read(process)
            code = process.wait(timeout=5.0)
            if code != 0 and not self._closed.is_set():
                raise SourceError(f"command {self._config.command[0]!r} failed ({code}): {stderr_tail.last_line()}")
        except subprocess.TimeoutExpired:
            return
        finally:
            _end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            # Its own process group, so that the command's own children end with it.
            self._process = subprocess.Popen(
                self._config.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise SourceError(f"command {self._config.command[0]!r}: {error.strerror or error}") from error
        return self._process

    def _read(self, process: subprocess.Popen[bytes]) -> Iterator[F32]:
        stream = process.stdout
        if stream is None:
            return
        size = self._config.rate_hz * self._config.block_ms // 1000 * self._frame_bytes
        resampler = Resampler(self._config.rate_hz)
        start = 0
        while not self._closed.is_set():
            data = stream.read(size)
            last = len(data) < size
            samples = self._decode(data[: len(data) // self._frame_bytes * self._frame_bytes], self._config.channels)
            check_finite(samples, f"command {self._config.command[0]!r}", start)
            start += samples.size
            block = resampler.process(samples, last=last)
            if block.size:
                yield block
            if last:
                return

    def close(self) -> None:
        """End the command with all the processes that it started."""
        self._closed.set()
        if self._process is not None:
            _end(self._process, wait=False)


class _StderrTail:
    """Keeps the tail of the command's stderr. The pipe must be drained or the command blocks."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._end = b""
        self._thread = threading.Thread(target=self._read, args=(stream,), name="stderr_tail", daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            while data := os.read(stream.fileno(), 4096):
                self._end = (self._end + data)[-MAX_STDERR_BYTES:]

    def last_line(self) -> str:
        """Return the last line of a command that has ended."""
        self._thread.join(timeout=1.0)  # a process that the command started may hold the pipe open for ever
        lines = self._end.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it wrote no error message"


def _end(process: subprocess.Popen[bytes], *, wait: bool = True) -> None:
    """End a process group: SIGTERM first, SIGKILL after 2 s."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
    if not wait:
        return
    try:
        process.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def open_source(config: SourceConfig) -> Source | None:
    """Return the configured source, or None for kind "none"."""
    if config.kind == "file" and config.path is not None:
        return FileSource(config.path, block_ms=config.block_ms, paced=config.paced)
    if config.kind == "command":
        return CommandSource(config)
    if config.kind == "microphone":
        from overtone_edge.hearing.microphone import Microphone

        return Microphone(config)
    if config.kind == "none":
        return None
    raise ConfigError(f"[source] path is missing for kind = {config.kind!r}")
