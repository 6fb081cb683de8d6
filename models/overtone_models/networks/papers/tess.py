"""The LSTM of paper C: 40 mean MFCC read as 40 steps of one value, 305,799 parameters with 7 classes."""

from collections.abc import Callable
from typing import Any

from overtone_models.networks import tf


def lstm(*, classes: int = 7, steps: int = 40, units: int = 256, dropout: float = 0.2) -> Any:
    """Return the Keras model `(batch, steps, 1)` -> `(batch, classes)` logits; the embedding has 64 values."""
    layers = tf.keras.layers
    coefficients = tf.keras.Input((steps, 1), name="coefficients")
    x = layers.Dropout(dropout)(layers.LSTM(units, name="lstm")(coefficients))
    x = layers.Dropout(dropout)(layers.Dense(128, activation="relu", name="wide")(x))
    embedding = layers.Dropout(dropout)(layers.Dense(64, activation="relu", name="narrow")(x))
    return tf.keras.Model(coefficients, layers.Dense(classes, name="head")(embedding), name="c_lstm")


NETWORKS: dict[str, Callable[..., Any]] = {"c-lstm": lstm}
