"""Child processes of the agent: started, watched, ended; their results come back as one call."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_edge.core.child import ANSWER, FAILED, MAX_JSON_BYTES, REFUSED, REQUEST
from overtone_edge.core.errors import JobError, StorageError
from overtone_edge.core.files import make_folder, read_limited, remove, storing, write_atomically

_log = logging.getLogger(__name__)

INSTALL, ROUND, PERSONAL = "install", "round", "personal"


@dataclass(frozen=True)
class JobResult:
    """How a job ended: `answer`, or `error` in one line. Its files lie in `folder` until the next job.

    `refused` is the child's own word that another attempt would end the same.
    """

    kind: str
    folder: Path
    request: dict[str, Any]
    answer: dict[str, Any] | None
    error: str = ""
    refused: bool = False


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    request: dict[str, Any]
    cancelled: bool = False


class Jobs:
    """At most one job of each kind. `on_done` is called from a watching thread."""

    def __init__(self, folder: Path, on_done: Callable[[JobResult], None]) -> None:
        self._folder = make_folder(folder)
        self._on_done = on_done
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def running(self, kind: str) -> bool:
        """Return whether a job of this kind runs."""
        with self._lock:
            return kind in self._running

    def start(self, kind: str, module: str, request: dict[str, Any], *, limit_s: float) -> None:
        """Start `python -m module` on a fresh folder; it is killed after `limit_s`."""
        if self.running(kind):
            raise JobError(f"a job of the kind {kind} runs already")
        folder = self._folder / kind
        remove(folder)
        make_folder(folder)
        write_atomically(folder / REQUEST, json.dumps(request).encode(), durable=False)
        running = _Running(_spawn(module, folder), request)
        with self._lock:
            self._running[kind] = running
        threading.Thread(target=self._watch, args=(kind, folder, running, limit_s), name=kind, daemon=True).start()

    def cancel(self, kind: str) -> None:
        """Kill a job; nothing is reported of it."""
        with self._lock:
            running = self._running.pop(kind, None)
            if running is not None:
                running.cancelled = True
        if running is not None:
            running.process.kill()
            running.process.wait()

    def close(self) -> None:
        """Kill all jobs."""
        for kind in list(self._running):
            self.cancel(kind)

    def _watch(self, kind: str, folder: Path, running: _Running, limit_s: float) -> None:
        late = ""
        try:
            running.process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            late = f"{kind} took longer than {limit_s:g} s"
            running.process.kill()
            running.process.wait()
        with self._lock:
            if running.cancelled:
                return
            self._running.pop(kind, None)
        self._on_done(_result(kind, folder, running, late))


def _spawn(module: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    with storing(folder), (folder / "complaints").open("wb") as complaints:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=environment,
        )


def _result(kind: str, folder: Path, running: _Running, late: str) -> JobResult:
    status, request = running.process.returncode, running.request
    if status == 0:
        try:
            return JobResult(kind, folder, request, json.loads(read_limited(folder / ANSWER, MAX_JSON_BYTES)))
        except (StorageError, ValueError) as error:
            return JobResult(kind, folder, request, None, f"{kind} left no answer: {error}")
    # These are the child's own word on what was wrong; anything else is a crash, whatever it wrote before.
    complaint = late or (_complaint(folder) if status in (FAILED, REFUSED) else "")
    return JobResult(
        kind,
        folder,
        request,
        None,
        complaint or f"{kind} ended with status {status}",
        refused=not late and status == REFUSED,
    )


def _complaint(folder: Path) -> str:
    try:
        text = read_limited(folder / "complaints", MAX_JSON_BYTES).decode("utf-8", "replace").strip()
    except StorageError as error:
        return str(error)
    return text.splitlines()[-1][:500] if text else ""
