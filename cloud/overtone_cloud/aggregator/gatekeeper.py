"""Quality gate of federated rounds: average the updates, evaluate the result, publish it if it is no worse.

The caller supplies `Evaluator` and `Publisher` (`overtone_cloud.aggregator.publisher.release_parts` for real models,
test doubles in `tests/support/model_doubles.py`); both may take many seconds and run in a worker thread.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from overtone_cloud.aggregator.averaging import F32, average, spread
from overtone_cloud.aggregator.cohort import ModelKey
from overtone_cloud.aggregator.config import ServerConfig
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.server_optimizers import State
from overtone_models.layout import WeightLayout, weights_digest

Outcome = Literal["kept", "not-kept", "failed"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Quality on the test corpus: UAR in 0..1, mean cross-entropy in nats, number of utterances."""

    uar: float
    loss: float
    n: int


class Evaluator(Protocol):
    """Evaluates weights on the aggregator's test corpus."""

    def evaluate(self, weights: F32) -> Evaluation:
        """Return the quality of `(n,)` weights; raises ReleaseError."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedModel:
    """A signed bundle on disk and its weights."""

    path: Path
    version: int
    weights: F32
    layout: WeightLayout
    front_end: bytes
    """Digest, 32 bytes."""

    @property
    def key(self) -> ModelKey:
        """Digests that a device's model must match."""
        return ModelKey(
            base=bytes.fromhex(weights_digest(self.weights)),
            layout=bytes.fromhex(self.layout.digest),
            front_end=self.front_end,
        )


class Publisher(Protocol):
    """Builds signed bundles from weights."""

    def publish(self, weights: F32, *, round_number: int, version: int) -> Path:
        """Return the path of the bundle; a repeated call may replace the file. Raises ReleaseError."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedRound:
    """Input of the gate: the deltas `(n,)` of a closed round's scope, with the base they belong to."""

    round_number: int
    base: ReleasedModel
    part: slice
    deltas: tuple[F32, ...]
    examples: tuple[int, ...]
    server_state: State
    """State of the server optimiser, stored with the base."""
    version: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """Outcome of a closed round, with its evaluations and durations."""

    round_number: int
    outcome: Outcome
    reason: str = ""
    model: ReleasedModel | None = None
    """The new release, None where the outcome is not "kept"."""
    server_state: State = None
    before: Evaluation | None = None
    after: Evaluation | None = None
    average_s: float = 0.0
    evaluate_s: float = 0.0
    publish_s: float = 0.0


class Gatekeeper:
    """Averages, evaluates and publishes; pure except for the evaluator, the publisher and the stopwatch."""

    def __init__(
        self,
        evaluator: Evaluator,
        publisher: Publisher,
        *,
        margin: float,
        server: ServerConfig,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._evaluator = evaluator
        self._publisher = publisher
        self._margin = margin
        self._optimizer = server.build()
        self._stopwatch = stopwatch
        self._base_evaluation: tuple[str, Evaluation] | None = None

    def conclude(self, closed: ClosedRound) -> Verdict:
        """Return the verdict on a round; a model that cannot be evaluated or published fails the round.

        Unexpected errors, such as a lack of memory, fail the round too: one model must not end the aggregator.
        """
        start_s = self._stopwatch()
        verdict = Verdict(round_number=closed.round_number, outcome="failed")
        try:
            weights, server_state = self._average(closed)
            averaged_s = self._stopwatch()
            verdict = replace(verdict, average_s=averaged_s - start_s)
            before = self._evaluate_base(closed.base)
            after = self._evaluator.evaluate(weights)
            evaluated_s = self._stopwatch()
            verdict = replace(verdict, before=before, after=after, evaluate_s=evaluated_s - averaged_s)
            if not after.uar >= before.uar - self._margin:  # also where it is NaN
                reason = f"UAR {after.uar:.4f} is below {before.uar:.4f} - margin {self._margin:g}"
                return replace(verdict, outcome="not-kept", reason=reason)
            path = self._publisher.publish(weights, round_number=closed.round_number, version=closed.version)
        except ReleaseError as error:
            return replace(verdict, reason=str(error))
        except Exception as error:
            log.exception("round %d cannot be evaluated", closed.round_number)
            return replace(verdict, reason=f"{type(error).__name__}: {error}".partition("\n")[0])
        self._base_evaluation = (weights_digest(weights), after)
        return replace(
            verdict,
            outcome="kept",
            model=replace(closed.base, path=path, version=closed.version, weights=weights),
            server_state=server_state,
            publish_s=self._stopwatch() - evaluated_s,
        )

    def _average(self, closed: ClosedRound) -> tuple[F32, State]:
        """Return new weights and server state; the state of a previously configured optimiser is dropped."""
        base, size = closed.base.weights, closed.base.weights.size
        mean = spread(average(closed.deltas, closed.examples), closed.part, size)
        fits = self._optimizer.fits(closed.server_state, size)
        return self._optimizer.apply(base, mean, closed.server_state if fits else self._optimizer.init(size))

    def _evaluate_base(self, base: ReleasedModel) -> Evaluation:
        """Return the quality of the base, evaluated once per base."""
        digest = weights_digest(base.weights)
        if self._base_evaluation is None or self._base_evaluation[0] != digest:
            self._base_evaluation = (digest, self._evaluator.evaluate(base.weights))
        return self._base_evaluation[1]
