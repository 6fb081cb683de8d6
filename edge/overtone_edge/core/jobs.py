"""Child processes of the agent: start, time limit, result; and what runs inside such a child.

A job is a folder: `request.json` in, `answer.json` (and arrays beside it) out. The answer is written last, whole or
not at all.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import AgentError, JobError, StorageError
from overtone_edge.core.files import make_folder, read_limited, remove, storing, write_atomically
from overtone_models.errors import ModelError

INSTALL, ROUND, PERSONAL = "install", "round", "personal"
"""Names of the jobs: at most one of each runs, in a folder of that name."""

FAILED, REFUSED = 1, 3
"""Exit statuses of a child: a failure that may pass, or a request that can never succeed."""

REQUEST, ANSWER, STDERR = "request.json", "answer.json", "stderr.txt"
MAX_JSON_BYTES = 1 << 20

Work = Callable[[Path, dict[str, Any]], dict[str, Any]]
Action = Callable[[], None]


@dataclass(frozen=True)
class JobResult:
    """How a job ended: `answer`, or `error` in one line. Its files lie in `folder` until the next job of that name.

    `refused` means that the child expects the same result from another attempt.
    """

    folder: Path
    request: dict[str, Any]
    answer: dict[str, Any] | None
    error: str = ""
    refused: bool = False


OnDone = Callable[[JobResult], None]


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    request: dict[str, Any]
    on_done: OnDone
    cancelled: bool = False


def _call(action: Action) -> None:
    action()


class Jobs:
    """Starts child processes, at most one per name; `deliver` hands each `on_done` call to the thread it belongs to."""

    def __init__(self, folder: Path, deliver: Callable[[Action], None] = _call) -> None:
        self._folder = make_folder(folder)
        self._deliver = deliver
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def running(self, name: str) -> bool:
        """Return whether a job of this name runs."""
        with self._lock:
            return name in self._running

    def start(self, name: str, module: str, request: dict[str, Any], *, limit_s: float, on_done: OnDone) -> None:
        """Start `python -m module` on an empty folder; it is killed after `limit_s`.

        `on_done` gets the result, unless the job is cancelled.
        """
        if self.running(name):
            raise JobError(f"the job {name} runs already")
        folder = self._folder / name
        remove(folder)
        make_folder(folder)
        write_atomically(folder / REQUEST, json.dumps(request).encode(), durable=False)
        running = _Running(_spawn(module, folder), request, on_done)
        with self._lock:
            self._running[name] = running
        threading.Thread(target=self._watch, args=(name, folder, running, limit_s), name=name, daemon=True).start()

    def cancel(self, name: str) -> None:
        """Kill a job; its `on_done` is not called."""
        with self._lock:
            running = self._running.pop(name, None)
            if running is not None:
                running.cancelled = True
        if running is not None:
            running.process.kill()
            running.process.wait()

    def close(self) -> None:
        """Kill all jobs."""
        for name in list(self._running):
            self.cancel(name)

    def _watch(self, name: str, folder: Path, running: _Running, limit_s: float) -> None:
        timeout = ""
        try:
            running.process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            timeout = f"{name} took longer than {limit_s:g} s"
            running.process.kill()
            running.process.wait()
        with self._lock:
            if running.cancelled:
                return
            self._running.pop(name, None)
        result = _result(name, folder, running, timeout)
        self._deliver(lambda: running.on_done(result))


def _spawn(module: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    with storing(folder), (folder / STDERR).open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
        )


def _result(name: str, folder: Path, running: _Running, timeout: str) -> JobResult:
    status, request = running.process.returncode, running.request
    if status == 0:
        try:
            return JobResult(folder, request, json.loads(read_limited(folder / ANSWER, MAX_JSON_BYTES)))
        except (StorageError, ValueError) as error:
            return JobResult(folder, request, None, f"{name} left no answer: {error}")
    # With these statuses the last line of stderr is the reason; with any other the child crashed, whatever stderr says.
    reason = timeout or (_last_stderr_line(folder) if status in (FAILED, REFUSED) else "")
    refused = not timeout and status == REFUSED
    return JobResult(folder, request, None, reason or f"{name} ended with status {status}", refused=refused)


def _last_stderr_line(folder: Path) -> str:
    try:
        text = read_limited(folder / STDERR, MAX_JSON_BYTES).decode("utf-8", "replace").strip()
    except StorageError as error:
        return str(error)
    return text.splitlines()[-1][:500] if text else ""


def run_child(
    work: Work, argv: list[str] | None = None, *, refuses: Callable[[Exception], bool] = lambda _error: False
) -> int:
    """Run `work(folder, request) -> answer` on the folder in `argv` at the lowest priority; return the exit status.

    `refuses` tells the errors that another attempt would meet again.
    """
    folder = Path((sys.argv[1:] if argv is None else argv)[0])
    lower_priority()
    try:
        request = json.loads(read_limited(folder / REQUEST, MAX_JSON_BYTES))
        answer = work(folder, request)
        write_atomically(folder / ANSWER, json.dumps(answer).encode())
    except (AgentError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED if refuses(error) else FAILED
    return 0


def lower_priority() -> None:
    """Give every other process on this machine precedence over this one."""
    os.nice(19)
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def watch_parent() -> Callable[[], None]:
    """Return a check that raises JobError once the agent that started this process has ended."""
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            raise JobError("the agent has ended")

    return check
