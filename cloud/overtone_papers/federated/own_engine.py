"""Federated training on the project's own round engine: its state machine, its averaging, clients in this process.

The machine of `aggregator.rounds` decides when a round opens and closes, as it does for real devices;
here every client answers at once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_cloud.aggregator.averaging import average
from overtone_cloud.aggregator.cohort import Candidate, ModelKey
from overtone_cloud.aggregator.rounds import (
    Close,
    DevicesPresent,
    Open,
    Reply,
    RoundConfig,
    RoundState,
    UpdateAccepted,
    following,
    step,
)
from overtone_cloud.errors import TrainingError
from overtone_models.front_end import F32
from overtone_models.layout import Tensor, WeightLayout, weights_digest
from overtone_papers.federated.federation import I32, ClientData, Log, Outcome, Plan, orders, round_line
from overtone_papers.federated.local_training import LocalTrainer
from overtone_papers.federated.server_optimizers import ServerOptimizer, server_optimizer

FEATURES_KEY = bytes(32)
"""All clients hold the same features: one constant stands for their front end."""


@dataclass(frozen=True, eq=False)
class Update:
    """A client's change of the weights `(size,)`, its examples, and their mean loss and accuracy while learning."""

    delta: F32
    examples: int
    loss: float
    accuracy: float


class OwnEngine:
    """The project's round engine."""

    name = "own"

    def run(self, plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> Outcome:
        """Return what `plan.rounds` rounds made of `weights`; raise TrainingError when they cannot be kept."""
        return _Run(plan, data, weights, log=log, name=name).all_rounds()


class _Run:
    """The state of one federated training."""

    def __init__(self, plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> None:
        self.plan, self.data, self.log, self.name = plan, data, log, name
        self.layout = _layout(weights)
        self.base = self.layout.flatten({str(i): np.asarray(w, np.float32) for i, w in enumerate(weights)})
        self.trainer = LocalTrainer(plan)
        self.orders = orders(plan, data)
        self.clients = {f"client-{index:03d}": index for index in range(len(data.clients))}
        self.optimizer: ServerOptimizer = server_optimizer(
            plan.server.kind, plan.server.learning_rate, plan.server.epsilon
        )
        self.server_state: Any = self.optimizer.init(self.layout.size)
        self.loss: list[float] = []
        self.accuracy: list[float] = []
        self.watched: list[float] = []
        self.seconds = 0.0

    def all_rounds(self) -> Outcome:
        count = len(self.clients)
        config = RoundConfig(scope="full", min_devices=count, max_devices=count, quorum=count, gather_s=0.0)
        state = RoundState(number=1, config=config, model=self._key())
        for number in range(1, self.plan.rounds + 1):
            began = time.monotonic()
            state = self._round(state)
            took = time.monotonic() - began
            self.seconds += took
            self.log(round_line(self.name, self.plan, number, self.loss[-1], self.accuracy[-1], took))
            if self.data.watched is not None:
                self.watched.append(self.trainer.accuracy(self._tensors(), *self.data.watched))
            state = following(state, self._key(), config, 0.0)
        return Outcome(
            engine=OwnEngine.name,
            weights=self._tensors(),
            loss=self.loss,
            accuracy=self.accuracy,
            watched_accuracy=self.watched,
            seconds=self.seconds,
        )

    def _round(self, state: RoundState) -> RoundState:
        """Open a round, let the clients that it calls learn, and move the weights when it closes."""
        present = tuple(
            Candidate(device=device, model=state.model, examples=len(self.data.clients[index]))
            for device, index in self.clients.items()
        )
        state, actions = step(state, DevicesPresent(present), 0.0)
        called = next(action for action in actions if isinstance(action, Open))
        updates: dict[str, Update] = {}
        for device in called.devices:
            state, _ = step(state, Reply(device, joining=True), 0.0)
        for device in called.devices:
            index = self.clients[device]
            updates[device] = self._learn(self.orders[index][state.number - 1])
            state, actions = step(state, UpdateAccepted(device), 0.0)
        closed = next(action for action in actions if isinstance(action, Close))
        self._average([updates[device] for device in closed.devices])
        return state

    def _learn(self, order: I32) -> Update:
        after, loss, accuracy = self.trainer.train(self._tensors(), self.data.x, self.data.y, order)
        delta = self.layout.flatten({str(i): w for i, w in enumerate(after)}) - self.base
        return Update(delta=delta, examples=order.shape[1], loss=loss, accuracy=accuracy)

    def _average(self, updates: Sequence[Update]) -> None:
        examples = [update.examples for update in updates]
        mean = average([update.delta for update in updates], examples)
        if not np.isfinite(mean).all():
            raise TrainingError(f"{self.name}: an update is not finite: lower the learning rate")
        self.base, self.server_state = self.optimizer.apply(self.base, mean, self.server_state)
        self.loss.append(float(np.average([update.loss for update in updates], weights=examples)))
        self.accuracy.append(float(np.average([update.accuracy for update in updates], weights=examples)))

    def _tensors(self) -> list[F32]:
        return list(self.layout.unflatten(self.base).values())

    def _key(self) -> ModelKey:
        return ModelKey(
            base=bytes.fromhex(weights_digest(self.base)),
            layout=bytes.fromhex(self.layout.digest),
            front_end=FEATURES_KEY,
        )


def _layout(weights: Sequence[F32]) -> WeightLayout:
    """Return the layout of a network whose last two tensors are its head's."""
    last = len(weights) - 2
    return WeightLayout(tuple(Tensor(str(i), tuple(w.shape), head=i >= last) for i, w in enumerate(weights)))
