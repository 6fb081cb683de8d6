"""The microphone through PyAudio: a bounded queue, overruns counted, reopened when it was unplugged."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ, Resampler, from_s16le
from overtone_edge.core.config import SourceConfig
from overtone_edge.core.errors import SourceError
from overtone_models.front_end import F32
from overtone_models.native_stderr import native_stderr_silenced

_log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
SILENT_DEVICE_S = 3.0


@dataclass(frozen=True)
class InputDevice:
    """One microphone as PortAudio names it."""

    index: int
    name: str
    channels: int
    rate_hz: int


def list_devices() -> list[InputDevice]:
    """Return the inputs that PortAudio lists now."""
    # ALSA reports every configured device that is absent.
    with native_stderr_silenced(), _port_audio() as audio:
        return _devices(audio)


@contextlib.contextmanager
def _port_audio() -> Iterator[Any]:
    try:
        import pyaudio
    except ImportError as error:
        raise SourceError(f"the microphone needs PyAudio (pip install 'overtone[mic]'): {error}") from error
    audio = pyaudio.PyAudio()
    try:
        yield audio
    finally:
        audio.terminate()


def _devices(audio: Any) -> list[InputDevice]:
    infos = [audio.get_device_info_by_index(index) for index in range(audio.get_device_count())]
    return [
        InputDevice(int(i["index"]), str(i["name"]), int(i["maxInputChannels"]), int(i["defaultSampleRate"]))
        for i in infos
        if i["maxInputChannels"] > 0
    ]


def choose_device(devices: list[InputDevice], selector: int | str | None) -> InputDevice:
    """Return the device that `selector` names: an index, part of a name, or None for "default" (else the first).

    Raises SourceError with a list of the devices.
    """
    if selector is None:
        matches = [d for d in devices if d.name == "default"] or devices
    elif isinstance(selector, int):
        matches = [d for d in devices if d.index == selector]
    else:
        matches = [d for d in devices if selector.casefold() in d.name.casefold()]
    if not matches:
        names = ", ".join(f"{d.index} {d.name!r}" for d in devices) or "none"
        raise SourceError(f"there is no microphone{'' if selector is None else f' {selector!r}'}; available: {names}")
    return matches[0]


class Microphone:
    """Blocks from a microphone.

    A device that cannot be opened at the start is an error; one that disappears later is waited for. `on_gap` is called
    with the reason of each interruption.
    """

    def __init__(self, config: SourceConfig, *, on_gap: Callable[[str], None] | None = None) -> None:
        self._config = config
        self._on_gap = on_gap or (lambda reason: _log.warning("microphone: %s", reason))
        self._queue: queue.Queue[bytes] = queue.Queue(max(1, round(config.queue_s * 1000 / config.block_ms)))
        self._closed = threading.Event()
        self.overruns = 0
        self.reopened = 0

    def blocks(self) -> Iterator[F32]:
        """Yield blocks until closed; reopen the device, with growing waits, when it stops delivering."""
        wait_s, opened = FIRST_WAIT_S, False
        while not self._closed.is_set():
            try:
                for block in self._session():
                    opened, wait_s = True, FIRST_WAIT_S
                    yield block
            except SourceError as error:
                if not opened:
                    raise
                self._on_gap(f"{error}; trying again in {wait_s:g} s")
            if self._closed.wait(wait_s):
                return
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            self.reopened += 1

    def _session(self) -> Iterator[F32]:
        """Yield blocks of one session with the device; raise SourceError when it stops delivering."""
        with _port_audio() as audio:
            device = choose_device(_devices(audio), self._config.device)
            stream, rate_hz = self._open(audio, device)
            resampler = Resampler(rate_hz)
            try:
                while not self._closed.is_set():
                    data = self._take(stream, device)
                    yield resampler.process(from_s16le(data, 1))
            finally:
                stream.close()

    def _open(self, audio: Any, device: InputDevice) -> tuple[Any, int]:
        import pyaudio

        def on_block(data: bytes, _frames: int, _times: object, flags: int) -> tuple[None, int]:
            if flags & pyaudio.paInputOverflow:
                self.overruns += 1
            self._put(data)
            return None, pyaudio.paContinue

        reason = ""
        for rate_hz in dict.fromkeys((SAMPLE_RATE_HZ, device.rate_hz)):
            try:
                stream = audio.open(
                    rate=rate_hz,
                    channels=1,
                    format=pyaudio.paInt16,
                    input=True,
                    input_device_index=device.index,
                    frames_per_buffer=rate_hz * self._config.block_ms // 1000,
                    stream_callback=on_block,
                )
            except (OSError, ValueError) as error:
                reason = str(error)
            else:
                return stream, rate_hz
        raise SourceError(f"microphone {device.name!r} cannot be opened: {reason}")

    def _put(self, data: bytes) -> None:
        """Queue a block; a full queue drops its oldest one."""
        while True:
            try:
                return self._queue.put_nowait(data)
            except queue.Full:
                self.overruns += 1
                with contextlib.suppress(queue.Empty):
                    self._queue.get_nowait()

    def _take(self, stream: Any, device: InputDevice) -> bytes:
        deadline = time.monotonic() + SILENT_DEVICE_S
        while not self._closed.is_set():
            try:
                return self._queue.get(timeout=0.2)
            except queue.Empty:
                if not stream.is_active() or time.monotonic() > deadline:
                    raise SourceError(f"microphone {device.name!r} no longer delivers sound") from None
        return np.zeros(0, "<i2").tobytes()

    def close(self) -> None:
        """Stop before the next block."""
        self._closed.set()
