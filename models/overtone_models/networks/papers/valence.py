"""System B: a DCGAN's discriminator that recognises valence (and activation), its generator, and the two CNNs.

All four networks share one structure: four convolutions of stride 2 without pooling, a fully connected layer on the
last of them, and a Dense layer of five classes for each task. The two DCGANs also tell real from generated crops, from
the last convolution. `NETWORKS` holds the parts that recognise valence, which are what a device runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from overtone_models.networks import tf

CLASSES = 5
CONVOLUTIONS = 4
STRIDE = 2
LEAK = 0.2
HALVINGS = STRIDE**CONVOLUTIONS


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of one network; `filters` is the same in every convolution, `kernel` is square.

    The paper leaves `dense` (the fully connected layer), `dropout` before the heads, and `noise` open.
    """

    width: int
    kernel: int
    filters: int
    rows: int = 128
    dense: int = 128
    dropout: float = 0.0
    noise: int = 100

    def __post_init__(self) -> None:
        if self.width % HALVINGS or self.rows % HALVINGS or min(self.width, self.rows) < HALVINGS:
            raise ValueError(f"a crop of {self.rows} x {self.width} cannot be halved {CONVOLUTIONS} times")

    @property
    def last(self) -> tuple[int, int, int]:
        """Shape of the last convolution's output: rows, frames, filters."""
        return self.rows // HALVINGS, self.width // HALVINGS, self.filters

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the four convolutions for one crop: nearly all of the network's."""
        rows, frames, inputs, total = self.rows, self.width, 1, 0
        for _ in range(CONVOLUTIONS):
            rows, frames = rows // STRIDE, frames // STRIDE
            total += rows * frames * self.kernel**2 * inputs * self.filters
            inputs = self.filters
        return total


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """Training tasks of a network besides valence."""

    activation: bool
    real: bool


SHAPES = {
    "b-basic-cnn": Shape(width=128, kernel=15, filters=84),
    "b-multitask-cnn": Shape(width=64, kernel=8, filters=32),
    "b-basic-dcgan": Shape(width=128, kernel=9, filters=72),
    "b-multitask-dcgan": Shape(width=64, kernel=6, filters=88),
}
"""The paper's table 1."""

TASKS = {
    "b-basic-cnn": Tasks(activation=False, real=False),
    "b-multitask-cnn": Tasks(activation=True, real=False),
    "b-basic-dcgan": Tasks(activation=False, real=True),
    "b-multitask-dcgan": Tasks(activation=True, real=True),
}


def discriminator(shape: Shape, tasks: Tasks) -> Any:
    """Return the Keras model `(batch, rows, width, 1)` in -1..1 -> a dict of logits.

    `valence` and `activation` are `(batch, 5)`, `real` is `(batch, 1)`; only the outputs of `tasks` are present.
    """
    layers = tf.keras.layers
    crop = tf.keras.Input((shape.rows, shape.width, 1), name="crop")
    x = crop
    for index in range(CONVOLUTIONS):
        x = layers.Conv2D(shape.filters, shape.kernel, STRIDE, "same", name=f"conv{index + 1}")(x)
        x = layers.LeakyReLU(LEAK, name=f"leak{index + 1}")(x)
    flat = layers.Flatten(name="flat")(x)
    embedding = layers.Dense(shape.dense, activation="relu", name="embedding")(flat)
    if shape.dropout:
        embedding = layers.Dropout(shape.dropout, name="dropout")(embedding)
    outputs = {"valence": layers.Dense(CLASSES, name="head")(embedding)}
    if tasks.activation:
        outputs["activation"] = layers.Dense(CLASSES, name="activation")(embedding)
    if tasks.real:
        outputs["real"] = layers.Dense(1, name="real")(flat)
    return tf.keras.Model(crop, outputs, name="discriminator")


def valence_network(trained: Any, name: str = "valence") -> Any:
    """Return the part of a discriminator that gives valence logits `(batch, 5)`; its weights are shared."""
    return tf.keras.Model(trained.inputs[0], trained.get_layer("head").output, name=name)


def generator(shape: Shape) -> Any:
    """Return the Keras model `(batch, noise)` -> `(batch, rows, width, 1)` in -1..1 that mirrors the discriminator."""
    layers = tf.keras.layers
    rows, frames, filters = shape.last
    noise = tf.keras.Input((shape.noise,), name="noise")
    x = layers.Dense(rows * frames * filters, use_bias=False, name="project")(noise)
    x = layers.Reshape((rows, frames, filters), name="reshape")(x)
    for index in range(CONVOLUTIONS):
        x = layers.ReLU(name=f"relu{index}")(layers.BatchNormalization(name=f"norm{index}")(x))
        last = index == CONVOLUTIONS - 1
        x = layers.Conv2DTranspose(
            1 if last else shape.filters,
            shape.kernel,
            STRIDE,
            "same",
            use_bias=last,
            activation="tanh" if last else None,
            name=f"up{index + 1}",
        )(x)
    return tf.keras.Model(noise, x, name="generator")


def _builder(name: str) -> Callable[..., Any]:
    def build(**options: Any) -> Any:
        shape = replace(SHAPES[name], **options)
        trained = discriminator(shape, Tasks(activation=False, real=False))
        return valence_network(trained, name.replace("-", "_"))

    build.__doc__ = f"Return the valence network of {name}; `options` replace sizes of its `Shape`."
    return build


NETWORKS: dict[str, Callable[..., Any]] = {name: _builder(name) for name in SHAPES}
