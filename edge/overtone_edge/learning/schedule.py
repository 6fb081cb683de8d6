"""Which training runs, one at a time: the aggregator's round first, then the user's own."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from overtone_edge.core.errors import LearningError
from overtone_edge.core.jobs import PERSONAL, ROUND, Jobs
from overtone_edge.learning.training_steps import Plan
from overtone_edge.state.home import Home
from overtone_edge.state.personal_head import PersonalHead
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_protocol import RoundCall

_log = logging.getLogger(__name__)

_MODULE = "overtone_edge.learning.trainer"

OnPersonal = Callable[[dict[str, Any] | None, str], None]


def personal_request(home: Home) -> dict[str, Any]:
    """Return the trainer's request for a personal head."""
    learning = home.config.learning
    plan = Plan(
        scope="head",
        steps=learning.steps,
        learning_rate=learning.learning_rate,
        momentum=learning.momentum,
        seed=learning.seed,
    )
    return {"purpose": PERSONAL, **_common(home, plan)}


def round_request(home: Home, call: RoundCall) -> dict[str, Any]:
    """Return the trainer's request for a round's update."""
    plan = Plan(
        scope=call.scope,
        steps=call.steps,
        learning_rate=call.learning_rate,
        momentum=call.momentum,
        seed=call.seed,
    )
    return {"purpose": ROUND, "round_id": call.round_id.hex(), "max_norm": call.max_norm, **_common(home, plan)}


def _common(home: Home, plan: Plan) -> dict[str, Any]:
    payload = home.payload_path()
    if payload is None:
        raise LearningError("no bundle is installed")
    return {
        "payload": str(payload),
        "store": str(home.folder / "store"),
        "plan": asdict(plan),
    }


def keep_if_confirmed(home: Home, bundle: Bundle, answer: dict[str, Any], weights: F32) -> bool:
    """Store a personal head that the labelled speech confirms, else remove the one there is; return whether it did.

    What is removed was learned from no more than the speech that now says otherwise.
    """
    if answer["base"] != bundle.base or weights.shape != bundle.head.shape:
        raise LearningError("the head was trained from another bundle")
    if not answer["kept"]:
        home.personal.erase()
        return False
    home.personal.save(PersonalHead(bundle.base, weights, {**answer, "trained_s": round(time.time())}))
    return True


class Training:
    """Starts trainings and says which one is next; results come back through the jobs' callback."""

    def __init__(self, home: Home, jobs: Jobs) -> None:
        self._home = home
        self._jobs = jobs
        self._waiting: list[OnPersonal] = []
        self._personal_wanted = False
        self.runs = 0

    def want_personal(self, on_done: OnPersonal | None = None) -> None:
        """Ask for a personal head; `on_done(answer, error)` is called when it was trained."""
        self._personal_wanted = True
        if on_done is not None:
            self._waiting.append(on_done)
        self.next()

    def next(self) -> None:
        """Start what is due, unless something runs."""
        if self._jobs.running(ROUND) or self._jobs.running(PERSONAL):
            return
        limit_s = self._home.config.learning.max_training_s
        assignment = self._home.desk.current
        if assignment is not None:
            left_s = assignment.received_s + assignment.call.deadline_s - time.time()
            request = round_request(self._home, assignment.call)
            self._start(ROUND, request, min(limit_s, max(1.0, left_s)))
        elif self._personal_wanted:
            self._personal_wanted = False
            try:
                self._start(PERSONAL, personal_request(self._home), limit_s)
            except LearningError as error:
                self.personal_done(None, str(error))

    def _start(self, kind: str, request: dict[str, Any], limit_s: float) -> None:
        self._jobs.start(kind, _MODULE, request, limit_s=limit_s)
        self.runs += 1
        _log.info("training began: %s", kind)

    def personal_done(self, answer: dict[str, Any] | None, error: str) -> None:
        """Tell everyone who waits how the personal training ended."""
        waiting, self._waiting = self._waiting, []
        for on_done in waiting:
            on_done(answer, error)

    def cancel_round(self) -> None:
        """End the round's training; nothing is reported of it."""
        self._jobs.cancel(ROUND)

    def stop(self) -> None:
        """End everything (the examples are being erased, or the agent stops)."""
        self._personal_wanted = False
        self._jobs.cancel(ROUND)
        self._jobs.cancel(PERSONAL)
        self.personal_done(None, "training was stopped")
