"""The listening thread: source -> hearing -> outputs. Changes are applied between two blocks."""

import ctypes
import logging
import queue
import threading
from collections.abc import Callable

from overtone_edge.core.errors import AgentError
from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.hearing import Hearing, NoStopwatch, Stopwatch
from overtone_edge.hearing.outputs import Outputs
from overtone_edge.hearing.sources import Source
from overtone_models.errors import ModelError

_log = logging.getLogger(__name__)

Change = Callable[[Hearing], Hearing]


class Listener:
    """Listens until the source ends, fails, or is closed; `on_end` gets the error's line, or None."""

    def __init__(
        self,
        source: Source,
        hearing: Hearing,
        outputs: Outputs,
        *,
        on_end: Callable[[str | None], None],
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._source = source
        self._hearing = hearing
        self._outputs = outputs
        self._on_end = on_end
        self._watch = stopwatch or NoStopwatch()
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    @property
    def hearing(self) -> Hearing:
        """The hearing in use."""
        return self._hearing

    @property
    def overruns(self) -> int:
        """Number of blocks that the source lost."""
        return self._source.overruns

    def start(self) -> None:
        """Begin to listen in a thread of its own."""
        self._thread.start()

    def change(self, change: Change) -> None:
        """Let the listening thread apply `change` between two blocks (another bundle, another head)."""
        self._changes.put(change)

    def close(self) -> None:
        """End the source and wait for the thread."""
        self._source.close()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)

    def listen(self) -> None:
        """Listen in the caller's thread until the source ends; raise the error that prevents it."""
        for block in self._source.blocks():
            self._watch.lap("capture")
            self._apply_changes()
            self._emit(self._hearing.process(block))
        self._emit(self._hearing.finish())

    def _run(self) -> None:
        problem: str | None = None
        try:
            self.listen()
        except (AgentError, ModelError) as error:
            problem = str(error)
        except MemoryError:
            problem = "out of memory"
        except Exception as error:  # noqa: BLE001
            # Any error at all: an agent must not go deaf unnoticed.
            _log.exception("listening failed")
            problem = f"unexpected {type(error).__name__}: {error}"
        self._on_end(problem)

    def _apply_changes(self) -> None:
        while not self._changes.empty():
            self._hearing = self._changes.get()(self._hearing)

    def _emit(self, events: list[Emotion]) -> None:
        for event in events:
            self._outputs.emit(event)
            self._watch.lap("publish")


def trim_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc); elsewhere do nothing.

    Reading a bundle and importing modules frees a tenth of the process, which glibc would keep for later.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
