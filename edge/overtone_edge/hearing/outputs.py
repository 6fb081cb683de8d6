"""Outputs of events: a bounded file of JSON lines, standard output, the broker."""

import errno
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Protocol

from overtone_edge.core.errors import StorageError
from overtone_edge.core.files import make_folder, remove, storing
from overtone_edge.hearing.events import Emotion

_log = logging.getLogger(__name__)


class Output(Protocol):
    """Destination of events."""

    def emit(self, event: Emotion) -> None:
        """Write one event; raise StorageError where it cannot be stored."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class JsonLines:
    """A file with one event per line, rotated at `max_bytes`; `keep_files` old files stay."""

    def __init__(self, path: Path, *, max_bytes: int, keep_files: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._file: IO[bytes] | None = None

    def emit(self, event: Emotion) -> None:
        """Append the event; a line is whole or absent even on a full disk."""
        line = event.to_json().encode() + b"\n"
        with storing(self._path):
            file = self._file or self._open()
            size = file.tell()
            if size and size + len(line) > self._max_bytes:
                self._rotate()
                file, size = self._open(), 0
            if file.write(line) < len(line):  # the disk filled up within the line
                file.seek(file.truncate(size))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> IO[bytes]:
        make_folder(self._path.parent)
        self._file = self._path.open("ab", buffering=0)
        self._path.chmod(0o600)
        return self._file

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep_files, 0, -1):
            older = self._path if number == 1 else _rotated(self._path, number - 1)
            if older.exists():
                older.replace(_rotated(self._path, number))
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _rotated(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def remove_log(path: Path) -> None:
    """Remove an event log with its rotated files."""
    for old in path.parent.glob(f"{path.name}.*"):
        if old.suffix[1:].isdigit():
            remove(old)
    remove(path)


class StandardOutput:
    """One line of JSON per event."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stdout

    def emit(self, event: Emotion) -> None:
        """Write and flush one line."""
        with storing(Path("standard output")):
            self._stream.write(event.to_json() + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""


class EventPublisher:
    """Publishes events through the broker; an event that cannot be sent now is dropped, not queued."""

    def __init__(self, publish: Callable[[bytes], bool]) -> None:
        self._publish = publish
        self.dropped = 0

    def emit(self, event: Emotion) -> None:
        """Publish the event, or count it as dropped."""
        if not self._publish(event.to_json().encode()):
            self.dropped += 1

    def close(self) -> None:
        """Nothing is open."""


class Outputs:
    """All outputs; one that fails is logged once and tried again with every event."""

    def __init__(self, outputs: Iterable[Output]) -> None:
        self._outputs = list(outputs)
        self._failing: set[int] = set()
        self._lock = threading.Lock()
        self.failures = 0

    def emit(self, event: Emotion) -> None:
        """Write the event to each output; an output that fails does not stop listening."""
        with self._lock:
            for number, output in enumerate(self._outputs):
                self._emit(number, output, event)

    def _emit(self, number: int, output: Output, event: Emotion) -> None:
        try:
            output.emit(event)
        except StorageError as error:
            self.failures += 1
            if number not in self._failing:
                self._failing.add(number)
                _log.error("events cannot be stored, listening continues: %s", error)
        else:
            self._failing.discard(number)

    def while_closed(self, action: Callable[[], None]) -> None:
        """Call `action` while all files are closed; the next event opens them again."""
        with self._lock:
            for output in self._outputs:
                output.close()
            action()

    def close(self) -> None:
        """Close all."""
        self.while_closed(lambda: None)
