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
from typing import Any, NamedTuple

import numpy as np

from overtone_cloud.aggregator import rounds
from overtone_cloud.aggregator.averaging import average
from overtone_cloud.aggregator.cohort import Candidate, ModelKey
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
    Round,
    orders,
)

FEATURES_KEY = bytes(32)
"""Stands for the front end, which all clients share."""


class Update(NamedTuple):
    """One client's change of the weights `(size,)`, its examples, and their mean loss and accuracy during training."""

    delta: F32
    examples: int
    loss: float
    accuracy: float


def run_rounds(plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> Outcome:
    """Return the outcome of `plan.rounds` rounds that start from `weights`, in Keras order.

    Raise TrainingError when the weights become infinite.
    """
    federation, course = _Federation(plan, data, weights, name), list[Round]()
    count = len(data.clients)
    config = rounds.RoundConfig(scope="full", min_devices=count, max_devices=count, quorum=count, gather_s=0.0)
    state = rounds.RoundState(number=1, config=config, model=federation.key())
    for number in range(1, plan.rounds + 1):
        started = time.monotonic()
        state, loss, accuracy = federation.round(state)
        seconds = time.monotonic() - started
        watched = None if data.watched is None else federation.client.accuracy(federation.tensors(), *data.watched)
        course.append(Round(number=number, loss=loss, accuracy=accuracy, watched=watched, seconds=seconds))
        log(course[-1].line(name, plan.rounds))
        state = rounds.following(state, federation.key(), config, 0.0)
    return Outcome(engine="own", weights=federation.tensors(), rounds=course)


class _Federation:
    """The server and its clients in one process."""

    def __init__(self, plan: Plan, data: ClientData, weights: Sequence[F32], name: str) -> None:
        head = len(weights) - 2  # the last two tensors are the head's
        tensors = (Tensor(str(i), tuple(w.shape), head=i >= head) for i, w in enumerate(weights))
        self.data, self.name, self.layout = data, name, WeightLayout(tuple(tensors))
        self.base = self._flat(weights)
        self.client = LocalTrainer(plan)
        self.orders = {f"client-{index:03d}": order for index, order in enumerate(orders(plan, data))}
        server = plan.server
        self.optimizer = server_optimizer(server.kind, learning_rate=server.learning_rate, epsilon=server.epsilon)
        self.server_state = self.optimizer.init(self.layout.size)

    def round(self, state: rounds.RoundState) -> tuple[rounds.RoundState, float, float]:
        """Open a round, train the clients that it selects, and move the weights when it closes.

        The clients' mean loss and accuracy come with the state after it.
        """
        present = tuple(
            Candidate(device=device, model=state.model, examples=order.shape[-1])
            for device, order in self.orders.items()
        )
        state, actions = rounds.step(state, rounds.DevicesPresent(present), 0.0)
        cohort = next(action for action in actions if isinstance(action, rounds.Open)).devices
        for device in cohort:
            state, _ = rounds.step(state, rounds.Reply(device, joining=True), 0.0)
        updates: dict[str, Update] = {}
        for device in cohort:
            updates[device] = self._update(self.orders[device][state.number - 1])
            state, actions = rounds.step(state, rounds.UpdateAccepted(device), 0.0)
        closed = next(action for action in actions if isinstance(action, rounds.Close))
        return state, *self._aggregate([updates[device] for device in closed.devices])

    def tensors(self) -> list[F32]:
        """Return the server's weights in Keras order."""
        return list(self.layout.unflatten(self.base).values())

    def key(self) -> ModelKey:
        """Return the key of the server's weights."""
        base, layout = weights_digest(self.base), self.layout.digest
        return ModelKey(base=bytes.fromhex(base), layout=bytes.fromhex(layout), front_end=FEATURES_KEY)

    def _update(self, order: I32) -> Update:
        after, loss, accuracy = self.client.train(self.tensors(), self.data.x, self.data.y, order)
        return Update(self._flat(after) - self.base, order.shape[1], loss, accuracy)

    def _aggregate(self, updates: Sequence[Update]) -> tuple[float, float]:
        deltas, examples, losses, accuracies = zip(*updates, strict=True)
        mean = average(deltas, examples)
        if not np.isfinite(mean).all():
            raise TrainingError(f"{self.name}: an update is not finite: lower the learning rate")
        self.base, self.server_state = self.optimizer.apply(self.base, mean, self.server_state)
        return float(np.average(losses, weights=examples)), float(np.average(accuracies, weights=examples))

    def _flat(self, weights: Sequence[F32]) -> F32:
        return self.layout.flatten({str(i): np.asarray(w, np.float32) for i, w in enumerate(weights)})


class LocalTrainer:
    """Local training in Keras: one network that takes each client's weights in turn, a fresh optimiser each time."""

    def __init__(self, plan: Plan) -> None:
        seed_all(plan.seed)
        self.plan = plan
        self.model: Any = papers.build(plan.network, **plan.network_options)
        self.optimizer = keras_optimizer(plan.client)
        self.optimizer.build(self.model.trainable_variables)
        # Scalars are the learning rate and the step; moments, which are large, start at zero.
        self._initial = [None if len(v.shape) else np.asarray(v) for v in self.optimizer.variables]
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
