"""What runs in a child process of the agent: at the lowest priority, and no longer than the agent.

A job is a folder: `request.json` in, `answer.json` (and arrays beside it) out. The answer is the last
thing that is written, whole or not at all.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import AgentError, JobError
from overtone_edge.core.files import read_limited, write_atomically
from overtone_models.errors import ModelError

Work = Callable[[Path, dict[str, Any]], dict[str, Any]]

FAILED, REFUSED = 1, 3
"""Exit statuses: something went wrong, or the request is one that can never be met."""

REQUEST, ANSWER = "request.json", "answer.json"
MAX_JSON_BYTES = 1 << 20


def run_child(
    work: Work, argv: list[str] | None = None, *, refuses: Callable[[Exception], bool] = lambda _error: False
) -> int:
    """Do `work(folder, request) -> answer` for the folder in `argv`; return the exit status.

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
    """Give way to everything else on this machine."""
    os.nice(19)
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def watch_parent() -> Callable[[], None]:
    """Return a check that raises JobError once the agent that started this process is gone."""
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            raise JobError("the agent is gone")

    return check
