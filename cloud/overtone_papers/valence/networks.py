"""The discriminator with its generator, and the paper's alternating updates written out as one training step."""

from typing import Any

import numpy as np

from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers.valence import discriminator, generator, valence_network
from overtone_papers.common.fitting import seed_all
from overtone_papers.valence.settings import Recipe

ADVERSARIAL_BETA_1 = 0.5
"""Adam's first moment for the two adversaries, as DCGANs are usually trained; 0.9 for valence and activation."""
SHARED = tuple(f"conv{index}" for index in range(1, 5))
OWN = {"valence": ("embedding", "head"), "activation": ("embedding", "activation"), "real": ("real",)}
"""The layers that a task's update changes besides the convolutions."""


class Learner:
    """Networks and optimisers of one training; `step` changes the weights in place.

    In the order of the paper, a step runs the generator, the discriminator, the valence and the activation classifier,
    each with its own loss and update; the convolutions serve all but the first.
    """

    def __init__(self, recipe: Recipe, seed: int) -> None:
        seed_all(seed)
        self.recipe = recipe
        self.network = discriminator(recipe.shape, recipe.tasks)
        self.valence = valence_network(self.network)
        self.generator = generator(recipe.shape) if recipe.tasks.real else None
        self._variables = {task: self._task_variables(task) for task in self.network.output}
        if self.generator is not None:
            self._variables["generator"] = self.generator.trainable_variables
        self._optimizers = {name: self._optimizer(name) for name in self._variables}
        self._step = tf.function(self._updates, reduce_retracing=True)

    def step(self, x: F32, valence: F32, activation: F32, unlabelled: F32 | None) -> tuple[dict[str, float], F32]:
        """Train on one batch; return the losses in nats and the valence logits `(batch, 5)` before the update.

        `x` and `unlabelled` are crops `(batch, rows, width, 1)`, the labels distributions `(batch, 5)`.
        """
        real = x if unlabelled is None else unlabelled
        losses, logits = self._step(*map(tf.constant, (x, valence, activation, real)))
        return {name: float(value) for name, value in losses.items()}, logits.numpy()

    def generated(self, count: int, seed: int) -> F32:
        """Return `(count, rows, width)` generated crops in -1..1, always of the same noise for a seed."""
        assert self.generator is not None
        noise = np.random.default_rng(seed).normal(size=(count, self.recipe.shape.noise)).astype(np.float32)
        result: F32 = self.generator(tf.constant(noise), training=False).numpy()[..., 0]
        return result

    def parameters(self) -> dict[str, int]:
        """Return the numbers of weights: valence network, all networks but the generator, generator."""
        networks = {"valence": self.valence, "discriminator": self.network, "generator": self.generator}
        return {name: 0 if network is None else int(network.count_params()) for name, network in networks.items()}

    def _task_variables(self, task: str) -> list[Any]:
        layers = [self.network.get_layer(name) for name in (*SHARED, *OWN[task])]
        return [variable for layer in layers for variable in layer.trainable_variables]

    def _optimizer(self, name: str) -> Any:
        beta_1 = ADVERSARIAL_BETA_1 if name in ("real", "generator") else 0.9
        optimizer = tf.keras.optimizers.Adam(self.recipe.learning_rate, beta_1=beta_1)
        optimizer.build(self._variables[name])
        return optimizer

    def _updates(self, x: Any, valence: Any, activation: Any, unlabelled: Any) -> Any:
        losses = {}
        if self.generator is not None:
            losses["generator"] = self._generator_update(tf.shape(unlabelled)[0])
            losses["real"] = self._discriminator_update(unlabelled)
        losses["valence"], logits = self._classifier_update("valence", x, valence)
        if self.recipe.tasks.activation:
            losses["activation"], _ = self._classifier_update("activation", x, activation)
        return losses, logits

    def _generator_update(self, count: Any) -> Any:
        """L_g of the paper: the loss of the discriminator on generated crops labelled as real."""
        with tf.GradientTape() as tape:
            logits = self.network(self._fakes(count), training=True)["real"]
            loss = tf.reduce_mean(tf.nn.softplus(-logits))
        return self._apply("generator", tape, loss)

    def _discriminator_update(self, unlabelled: Any) -> Any:
        """L_d = L_r + L_f of the paper: cross entropy of real and of generated crops."""
        fakes = self._fakes(tf.shape(unlabelled)[0])
        with tf.GradientTape() as tape:
            of_real = self.network(unlabelled, training=True)["real"]
            of_fakes = self.network(fakes, training=True)["real"]
            loss = tf.reduce_mean(tf.nn.softplus(-of_real)) + tf.reduce_mean(tf.nn.softplus(of_fakes))
        return self._apply("real", tape, loss)

    def _classifier_update(self, task: str, x: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = self.network(x, training=True)[task]
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
        return self._apply(task, tape, loss), logits

    def _fakes(self, count: Any) -> Any:
        assert self.generator is not None
        return self.generator(tf.random.normal((count, self.recipe.shape.noise)), training=True)

    def _apply(self, name: str, tape: Any, loss: Any) -> Any:
        variables = self._variables[name]
        self._optimizers[name].apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss
