"""The three networks of the federated paper (system A): `(windows, 34)` short-term features -> class logits.

They build under Keras 2 (TensorFlow 2.14, where TensorFlow Federated lives) and Keras 3 alike, with their weights
in the same order. Layer sizes and parameter counts are the paper's; dropout and activations, which it leaves
open, are options.
"""

from collections.abc import Callable
from typing import Any

from overtone_models.networks import tf

KERNEL = 3
CONV_FILTERS = (512, 128, 128, 64)


def dense(
    *,
    windows: int = 100,
    features: int = 34,
    classes: int = 4,
    width: int = 512,
    dropout: float = 0.2,
    activation: str = "relu",
) -> Any:
    """Return the Dense network: one convolution, flattened, two dense layers (26,008,068 parameters)."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((windows, features))
    x = layers.Conv1D(width, KERNEL, activation=activation, name="conv0")(inputs)
    x = layers.Flatten()(_dropped(x, dropout))
    x = layers.Dense(width, activation=activation, name="dense")(x)
    x = layers.Dense(width, activation=activation, name="embedding")(_dropped(x, dropout))
    return _with_head(inputs, _dropped(x, dropout), classes, "a_dense")


def conv(
    *,
    windows: int = 100,
    features: int = 34,
    classes: int = 4,
    filters: tuple[int, ...] = CONV_FILTERS,
    width: int = 256,
    dropout: float = 0.2,
    activation: str = "relu",
) -> Any:
    """Return the Conv network: four convolutions, each with dropout, one dense layer (1,832,004 parameters)."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((windows, features))
    x = inputs
    for index, count in enumerate(filters):
        x = _dropped(layers.Conv1D(count, KERNEL, activation=activation, name=f"conv{index}")(x), dropout)
    x = layers.Dense(width, activation=activation, name="embedding")(layers.Flatten()(x))
    return _with_head(inputs, _dropped(x, dropout), classes, "a_conv")


def lstm(
    *,
    windows: int = 100,
    features: int = 34,
    classes: int = 4,
    width: int = 512,
    activation: str = "relu",
    unroll: bool = False,
) -> Any:
    """Return the LSTM network: two recurrent layers, one dense layer (3,484,164 parameters).

    `activation` is the dense layer's; `unroll` unrolls the steps, for converters without loops.
    """
    layers = tf.keras.layers
    inputs = tf.keras.Input((windows, features))
    x = layers.LSTM(width, return_sequences=True, unroll=unroll, name="lstm0")(inputs)
    x = layers.LSTM(width, unroll=unroll, name="lstm1")(x)
    x = layers.Dense(width, activation=activation, name="embedding")(x)
    return _with_head(inputs, x, classes, "a_lstm")


def _dropped(x: Any, rate: float) -> Any:
    return tf.keras.layers.Dropout(rate)(x) if rate else x


def _with_head(inputs: Any, embedding: Any, classes: int, name: str) -> Any:
    logits = tf.keras.layers.Dense(classes, name="head")(embedding)
    return tf.keras.Model(inputs, logits, name=name)


NETWORKS: dict[str, Callable[..., Any]] = {"a-dense": dense, "a-conv": conv, "a-lstm": lstm}
PARAMETERS = {"a-dense": 26_008_068, "a-conv": 1_832_004, "a-lstm": 3_484_164}
"""Parameter counts in the paper's model summaries."""
