"""Training schedule: one training at a time, the aggregator's round before the owner's personal head."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from overtone_edge.core.errors import AgentError, LearningError
from overtone_edge.core.jobs import PERSONAL, ROUND, JobResult, Jobs, OnDone
from overtone_edge.install.active_model import ActiveModel
from overtone_edge.install.stored_model import bundle_path
from overtone_edge.learning.trainer import read_vector
from overtone_edge.learning.training_steps import Plan
from overtone_edge.state.home import Home
from overtone_edge.state.personal_head import PersonalHead
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_protocol import RoundCall

_log = logging.getLogger(__name__)

_MODULE = "overtone_edge.learning.trainer"

OnPersonal = Callable[[dict[str, Any] | None, str], None]
"""Called with the trainer's answer, or with None and the reason why there is none."""


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
    payload = bundle_path(home)
    if payload is None:
        raise LearningError("no bundle is installed")
    return {
        "payload": str(payload),
        "store": str(home.store_folder),
        "reference": str(home.reference.folder),
        "plan": asdict(plan),
    }


def keep_if_confirmed(home: Home, bundle: Bundle, answer: dict[str, Any], weights: F32) -> bool:
    """Store a personal head that the labelled speech confirms, else remove the one there is; return whether it did.

    A removed head was trained on no more than the speech that now rejects it.
    """
    if answer["base"] != bundle.base or weights.shape != bundle.head.shape:
        raise LearningError("the head was trained from another bundle")
    if not answer["kept"]:
        home.personal.erase()
        return False
    home.personal.save(PersonalHead(bundle.base, weights, {**answer, "trained_s": round(time.time())}))
    return True


class TrainingSchedule:
    """Starts pending trainings one by one; `use_head` is called after a change of the personal head on the disk."""

    def __init__(self, home: Home, jobs: Jobs, active: ActiveModel, *, use_head: Callable[[], None]) -> None:
        self._home = home
        self._jobs = jobs
        self._active = active
        self._use_head = use_head
        self._on_round: OnDone | None = None
        self._personal_callbacks: list[OnPersonal] = []
        self._personal_requested = False
        self.runs = 0

    def take_rounds(self, on_done: OnDone) -> None:
        """Train for the assigned rounds from now on, and pass each result to `on_done`."""
        self._on_round = on_done

    def request_personal(self, on_done: OnPersonal | None = None) -> None:
        """Ask for a personal head; `on_done(answer, error)` is called after its training."""
        self._personal_requested = True
        if on_done is not None:
            self._personal_callbacks.append(on_done)
        self.next()

    def next(self) -> None:
        """Start the next pending training, unless one runs."""
        if self._jobs.running(ROUND) or self._jobs.running(PERSONAL):
            return
        limit_s = self._home.config.learning.max_training_s
        assignment = self._home.assignments.current
        if assignment is not None and self._on_round is not None:
            left_s = assignment.received_s + assignment.call.deadline_s - time.time()
            request = round_request(self._home, assignment.call)
            self._start(ROUND, request, min(limit_s, max(1.0, left_s)), self._on_round)
        elif self._personal_requested:
            self._personal_requested = False
            try:
                self._start(PERSONAL, personal_request(self._home), limit_s, self._finish_personal)
            except LearningError as error:
                self._answer_personal(None, str(error))

    def _start(self, name: str, request: dict[str, Any], limit_s: float, on_done: OnDone) -> None:
        def finish(result: JobResult) -> None:
            try:
                on_done(result)
            finally:
                self.next()

        self._jobs.start(name, _MODULE, request, limit_s=limit_s, on_done=finish)
        self.runs += 1
        _log.info("training began: %s", name)

    def _finish_personal(self, result: JobResult) -> None:
        error, bundle = result.error, self._active.model.bundle
        try:
            if result.answer is not None and bundle is not None:
                keep_if_confirmed(self._home, bundle, result.answer, read_vector(result.folder))
                self._use_head()
        except AgentError as problem:
            error = str(problem)
        if error:
            _log.error("no personal head: %s", error)
        self._answer_personal(None if error else result.answer, error)

    def _answer_personal(self, answer: dict[str, Any] | None, error: str) -> None:
        callbacks, self._personal_callbacks = self._personal_callbacks, []
        for on_done in callbacks:
            on_done(answer, error)

    def cancel_round(self) -> None:
        """End the round's training without a result."""
        self._jobs.cancel(ROUND)

    def stop(self) -> None:
        """End all training (the examples are being erased, or the agent stops)."""
        self._personal_requested = False
        self._jobs.cancel(ROUND)
        self._jobs.cancel(PERSONAL)
        self._answer_personal(None, "training was stopped")
