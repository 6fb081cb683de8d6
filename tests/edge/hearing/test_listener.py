"""The listening thread: however it ends, somebody hears of it."""

import threading
from collections.abc import Iterator

import pytest

from overtone_edge.core.errors import SourceError
from overtone_edge.hearing.listener import Listener
from overtone_edge.hearing.outputs import Outputs


class Failing:
    """A source that raises an error at once."""

    overruns = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    def blocks(self) -> Iterator:
        raise self._error
        yield

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (SourceError("no such file"), "no such file"),
        (MemoryError(), "out of memory"),
        (PermissionError(13, "Permission denied"), "unexpected PermissionError: [Errno 13] Permission denied"),
    ],
)
def test_the_end_of_listening_is_told(error: Exception, complaint: str) -> None:
    told: list[str | None] = []
    ended = threading.Event()

    def end(reason: str | None) -> None:
        told.append(reason)
        ended.set()

    Listener(Failing(error), None, Outputs([]), on_end=end).start()  # type: ignore[arg-type]
    assert ended.wait(10.0)
    assert told == [complaint]
