"""A client's own training in TensorFlow: plain steps over given batches, a fresh optimiser each time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from overtone_models.front_end import F32
from overtone_models.networks import papers, tf
from overtone_papers.common.fitting import predict, seed_all
from overtone_papers.federated.federation import I32, I64, OptimizerChoice, Plan


class LocalTrainer:
    """One network that every client in turn puts its weights into."""

    def __init__(self, plan: Plan) -> None:
        seed_all(plan.seed)
        self.plan = plan
        self.model: Any = papers.build(plan.network, **plan.network_options)
        self.optimizer = keras_optimizer(plan.client)
        self.optimizer.build(self.model.trainable_variables)
        self._fresh = [_initial(variable) for variable in self.optimizer.variables]
        inputs = tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)
        self._step = tf.function(self._train_step, input_signature=(inputs, tf.TensorSpec((None,), tf.int64)))

    def train(self, weights: Sequence[F32], x: F32, y: I64, order: I32) -> tuple[list[F32], float, float]:
        """Return the weights after learning `(local_epochs, n)` rows in order, and mean loss and accuracy."""
        self.model.set_weights(list(weights))
        for variable, value in zip(self.optimizer.variables, self._fresh, strict=True):
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
