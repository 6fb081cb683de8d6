"""Federated training on the product's round engine, with clients that learn in this process.

Everything a server does is the product's own code: `aggregator.rounds` opens and closes the rounds,
`aggregator.cohort` selects the clients, `aggregator.averaging` weighs their updates and
`aggregator.server_optimizers` moves the weights. What stays here is what a simulation has in place of devices and
broker: clients that are all present and answer at once, batches in a given order (so that TensorFlow Federated can
be held against it), training in Keras, and no gate, because the published system evaluates but never
rejects a round.
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
from overtone_cloud.aggregator.server_optimizers import server_optimizer
from overtone_cloud.errors import TrainingError
from overtone_models.front_end import F32
from overtone_models.layout import Tensor, WeightLayout, weights_digest
from overtone_models.networks import papers, tf
from overtone_papers.common.fitting import predict, seed_all
from overtone_papers.federated.federation import (
    I32,
    I64,
    ClientData,
    Log,
    OptimizerChoice,
    Outcome,
    Plan,
    orders,
    round_line,
)

FEATURES_KEY = bytes(32)
"""Stands for the front end, which all clients share."""


@dataclass(frozen=True, eq=False)
class Update:
    """One client's change of the weights `(size,)`, its examples, and their mean loss and accuracy during training."""

    delta: F32
    examples: int
    loss: float
    accuracy: float


class OwnEngine:
    """The project's round engine."""

    name = "own"

    def run(self, plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> Outcome:
        """Return the outcome of `plan.rounds` rounds; raise TrainingError when the weights become infinite."""
        return _Federation(plan, data, weights, log=log, name=name).run()


class _Federation:
    """The server and its clients in one process."""

    def __init__(self, plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> None:
        self.plan, self.data, self.log, self.name = plan, data, log, name
        self.layout = _layout(weights)
        self.base = self.layout.flatten({str(i): np.asarray(w, np.float32) for i, w in enumerate(weights)})
        self.client = LocalTrainer(plan)
        self.orders = {f"client-{index:03d}": order for index, order in enumerate(orders(plan, data))}
        server = plan.server
        self.optimizer = server_optimizer(server.kind, learning_rate=server.learning_rate, epsilon=server.epsilon)
        self.server_state = self.optimizer.init(self.layout.size)
        self.loss: list[float] = []
        self.accuracy: list[float] = []

    def run(self) -> Outcome:
        count = len(self.orders)
        config = RoundConfig(scope="full", min_devices=count, max_devices=count, quorum=count, gather_s=0.0)
        state = RoundState(number=1, config=config, model=self._key())
        watched, seconds = list[float](), 0.0
        for number in range(1, self.plan.rounds + 1):
            started = time.monotonic()
            state = self._round(state)
            took = time.monotonic() - started
            seconds += took
            self.log(round_line(self.name, self.plan, number, self.loss[-1], self.accuracy[-1], took))
            if self.data.watched is not None:
                watched.append(self.client.accuracy(self._tensors(), *self.data.watched))
            state = following(state, self._key(), config, 0.0)
        return Outcome(
            engine=OwnEngine.name,
            weights=self._tensors(),
            loss=self.loss,
            accuracy=self.accuracy,
            watched_accuracy=watched,
            seconds=seconds,
        )

    def _round(self, state: RoundState) -> RoundState:
        """Open a round, train the clients that it selects, and move the weights when it closes."""
        present = tuple(
            Candidate(device=device, model=state.model, examples=order.shape[-1])
            for device, order in self.orders.items()
        )
        state, actions = step(state, DevicesPresent(present), 0.0)
        cohort = next(action for action in actions if isinstance(action, Open)).devices
        for device in cohort:
            state, _ = step(state, Reply(device, joining=True), 0.0)
        updates: dict[str, Update] = {}
        for device in cohort:
            updates[device] = self._update(self.orders[device][state.number - 1])
            state, actions = step(state, UpdateAccepted(device), 0.0)
        closed = next(action for action in actions if isinstance(action, Close))
        self._aggregate([updates[device] for device in closed.devices])
        return state

    def _update(self, order: I32) -> Update:
        after, loss, accuracy = self.client.train(self._tensors(), self.data.x, self.data.y, order)
        delta = self.layout.flatten({str(i): w for i, w in enumerate(after)}) - self.base
        return Update(delta=delta, examples=order.shape[1], loss=loss, accuracy=accuracy)

    def _aggregate(self, updates: Sequence[Update]) -> None:
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
        base, layout = weights_digest(self.base), self.layout.digest
        return ModelKey(base=bytes.fromhex(base), layout=bytes.fromhex(layout), front_end=FEATURES_KEY)


def _layout(weights: Sequence[F32]) -> WeightLayout:
    """Return the layout of a network whose last two tensors are its head's."""
    last = len(weights) - 2
    return WeightLayout(tuple(Tensor(str(i), tuple(w.shape), head=i >= last) for i, w in enumerate(weights)))


class LocalTrainer:
    """Local training in Keras: one network that takes each client's weights in turn, a fresh optimiser each time."""

    def __init__(self, plan: Plan) -> None:
        seed_all(plan.seed)
        self.plan = plan
        self.model: Any = papers.build(plan.network, **plan.network_options)
        self.optimizer = keras_optimizer(plan.client)
        self.optimizer.build(self.model.trainable_variables)
        self._initial = [_initial(variable) for variable in self.optimizer.variables]
        inputs = tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)
        self._step = tf.function(self._train_step, input_signature=(inputs, tf.TensorSpec((None,), tf.int64)))

    def train(self, weights: Sequence[F32], x: F32, y: I64, order: I32) -> tuple[list[F32], float, float]:
        """Return the weights after training on `(local_epochs, n)` rows in order, and mean loss and accuracy."""
        self.model.set_weights(list(weights))
        for variable, value in zip(self.optimizer.variables, self._initial, strict=True):
            variable.assign(tf.zeros_like(variable) if value is None else value)
        loss = correct = 0.0
        for rows in order:
            for start in range(0, len(rows), self.plan.batch):
                batch = rows[start : start + self.plan.batch]
                summed, hits = self._step(tf.constant(x[batch]), tf.constant(y[batch], tf.int64))
                loss += float(summed)
                correct += float(hits)
        return self.model.get_weights(), loss / order.size, correct / order.size

    def accuracy(self, weights: Sequence[F32], x: F32, y: I64) -> float:
        """Return the share of `x` that the network recognises with these weights."""
        self.model.set_weights(list(weights))
        return float((predict(self.model, x).argmax(1) == y).mean())

    def _train_step(self, x: Any, y: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            logits = self.model(x, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            loss = tf.reduce_mean(losses)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        hits = tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == y, tf.float32))
        return tf.reduce_sum(losses), hits


def keras_optimizer(choice: OptimizerChoice) -> Any:
    """Return the Keras optimiser of a choice."""
    if choice.kind == "sgd":
        return tf.keras.optimizers.SGD(choice.learning_rate)
    return tf.keras.optimizers.Adam(choice.learning_rate, epsilon=choice.epsilon)


def _initial(variable: Any) -> Any:
    """Return a scalar's value (the learning rate, the step), None for moments, which start at zero."""
    return np.asarray(variable) if len(variable.shape) == 0 else None
