"""The gate between an average and a release: evaluate, keep only what is no worse, publish.

`Evaluator` and `Publisher` are given from outside (`overtone_cloud.aggregator.publisher.release_parts` for real models,
test doubles in `tests/support/twins.py`); both may take many seconds and run in a worker thread.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from overtone_cloud.aggregator.averaging import F32, F64, average, server_step, spread
from overtone_cloud.aggregator.cohort import ModelKey
from overtone_cloud.aggregator.config import ServerConfig
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_models.layout import WeightLayout, weights_digest

Outcome = Literal["kept", "not-kept", "failed"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well weights do on the test corpus: UAR in 0..1, mean cross-entropy in nats, utterances."""

    uar: float
    loss: float
    n: int


class Evaluator(Protocol):
    """Measures weights on the aggregator's own test corpus."""

    def evaluate(self, weights: F32) -> Evaluation:
        """Return the measures of `(n,)` weights; raises ReleaseError."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Published:
    """A signed bundle on disk and the weights in it."""

    path: Path
    version: int
    weights: F32
    layout: WeightLayout
    front_end: bytes
    """Digest, 32 bytes."""

    @property
    def key(self) -> ModelKey:
        """What devices must have in common with this model."""
        return ModelKey(
            base=bytes.fromhex(weights_digest(self.weights)),
            layout=bytes.fromhex(self.layout.digest),
            front_end=self.front_end,
        )


class Publisher(Protocol):
    """Makes a signed bundle of weights."""

    def publish(self, weights: F32, *, round_number: int, version: int) -> Path:
        """Return the path of the bundle; the same call again may replace it. Raises ReleaseError."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A closed round, ready to be averaged: deltas are `(n,)` of the round's scope."""

    round_number: int
    base: Published
    part: slice
    deltas: tuple[F32, ...]
    examples: tuple[int, ...]
    velocity: F64 | None
    version: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """What became of a closed round, with its measures and durations."""

    round_number: int
    outcome: Outcome
    reason: str = ""
    published: Published | None = None
    velocity: F64 | None = None
    before: Evaluation | None = None
    after: Evaluation | None = None
    average_s: float = 0.0
    evaluate_s: float = 0.0
    publish_s: float = 0.0


class Gatekeeper:
    """Averages, judges and publishes; pure but for the evaluator, the publisher and the stop watch."""

    def __init__(
        self,
        evaluator: Evaluator,
        publisher: Publisher,
        *,
        margin: float,
        server: ServerConfig,
        watch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._evaluator = evaluator
        self._publisher = publisher
        self._margin = margin
        self._server = server
        self._watch = watch
        self._known: tuple[str, Evaluation] | None = None

    def conclude(self, work: Work) -> Verdict:
        """Return the verdict on a round; a model that cannot be judged or published fails the round.

        Whatever goes wrong with one model, memory for example, must not end an aggregator: it fails the round too.
        """
        started = self._watch()
        verdict = Verdict(round_number=work.round_number, outcome="failed")
        try:
            weights, velocity = self._average(work)
            averaged = self._watch()
            verdict = replace(verdict, average_s=averaged - started)
            before = self._evaluate_base(work.base)
            after = self._evaluator.evaluate(weights)
            judged = self._watch()
            verdict = replace(verdict, before=before, after=after, evaluate_s=judged - averaged)
            if not after.uar >= before.uar - self._margin:  # also when it is NaN
                reason = f"UAR {after.uar:.4f} is below {before.uar:.4f} - margin {self._margin:g}"
                return replace(verdict, outcome="not-kept", reason=reason)
            path = self._publisher.publish(weights, round_number=work.round_number, version=work.version)
        except ReleaseError as error:
            return replace(verdict, reason=str(error))
        except Exception as error:
            log.exception("round %d cannot be judged", work.round_number)
            return replace(verdict, reason=f"{type(error).__name__}: {error}".partition("\n")[0])
        self._known = (weights_digest(weights), after)
        return replace(
            verdict,
            outcome="kept",
            published=replace(work.base, path=path, version=work.version, weights=weights),
            velocity=velocity if self._server.momentum else None,
            publish_s=self._watch() - judged,
        )

    def _average(self, work: Work) -> tuple[F32, F64]:
        mean = average(work.deltas, work.examples)
        return server_step(
            work.base.weights,
            spread(mean, work.part, work.base.weights.size),
            work.velocity,
            learning_rate=self._server.learning_rate,
            momentum=self._server.momentum,
        )

    def _evaluate_base(self, base: Published) -> Evaluation:
        """Return the measures of the base, taken once per base."""
        digest = weights_digest(base.weights)
        if self._known is None or self._known[0] != digest:
            self._known = (digest, self._evaluator.evaluate(base.weights))
        return self._known[1]
