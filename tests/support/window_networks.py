"""Small window networks of every kind of layer that conversion must handle; their heads separate the classes."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from overtone_converters.window_build import build_window_bundle
from overtone_converters.window_network import HEAD, load_network, predicted
from overtone_models.front_end import F32
from overtone_models.labels import EMOTIONS
from overtone_models.networks import tf
from overtone_models.window_model import CALIBRATION, TEST, WindowModel

LABELS = ("neutral", "happy", "sad", "angry")
ROWS = 64
LOG_MEL = {"name": "log-mel", "n_mels": 16, "seconds": 1.0}
MEANS = {"name": "mean-vector", "n_mfcc": 13, "n_mels": 16, "seconds": 1.0}
STACKING = "e-stacking"
"""Its binary networks answer for one class each, and must do so clearly too."""
TEXT = {"name": "text", "width": 8}
PICTURE, VECTOR, TOKENS = (16, 32), (41,), (5, 8)


def _dense() -> Any:
    x = inputs = tf.keras.Input(VECTOR)
    return _with_head(inputs, tf.keras.layers.Dense(16, activation="relu")(x))


def _conv1d() -> Any:
    inputs = tf.keras.Input(PICTURE)
    x = tf.keras.layers.Conv1D(8, 3, activation="relu")(inputs)
    return _with_head(inputs, tf.keras.layers.Flatten()(tf.keras.layers.Dropout(0.2)(x)))


def _lstm() -> Any:
    inputs = tf.keras.Input(PICTURE)
    x = tf.keras.layers.LSTM(12, return_sequences=True)(inputs)
    return _with_head(inputs, tf.keras.layers.Dense(8, activation="relu")(tf.keras.layers.LSTM(12)(x)))


def _conv2d_lstm() -> Any:
    layers = tf.keras.layers
    inputs = tf.keras.Input((*PICTURE, 1))
    x = layers.MaxPooling2D(2)(layers.ELU()(layers.BatchNormalization()(layers.Conv2D(6, 5)(inputs))))
    return _with_head(inputs, layers.LSTM(8)(layers.TimeDistributed(layers.Flatten())(x)))


def _attention() -> Any:
    layers = tf.keras.layers
    inputs = tf.keras.Input(PICTURE)
    x = layers.Dense(16)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    return _with_head(inputs, layers.Flatten()(x))


def _two_inputs() -> Any:
    layers = tf.keras.layers
    picture, vector = tf.keras.Input((*PICTURE, 1)), tf.keras.Input(VECTOR)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(picture))
    joined = layers.Concatenate()([x, layers.Dense(16, activation="relu")(vector)])
    return _with_head([picture, vector], joined)


def _text() -> Any:
    inputs = tf.keras.Input(TOKENS)
    return _with_head(inputs, tf.keras.layers.GlobalAveragePooling1D()(tf.keras.layers.Dense(8)(inputs)))


def _with_head(inputs: Any, embedding: Any) -> Any:
    return tf.keras.Model(inputs, tf.keras.layers.Dense(len(LABELS), name=HEAD)(embedding))


KINDS: dict[str, tuple[Callable[[], Any], tuple[dict[str, Any], ...]]] = {
    "dense": (_dense, (MEANS,)),
    "conv1d": (_conv1d, (LOG_MEL,)),
    "lstm": (_lstm, (LOG_MEL,)),
    "conv2d-lstm": (_conv2d_lstm, (LOG_MEL,)),
    "attention": (_attention, (LOG_MEL,)),
    "two-inputs": (_two_inputs, (LOG_MEL, MEANS)),
    "text": (_text, (TEXT,)),
}


def build_tiny(name: str, **options: Any) -> Any:
    """Return the Keras model of a kind; raise KeyError for an unknown one, as the papers' `build` does."""
    return KINDS[name][0](**options)


def write_tiny(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Write a network of a kind with its calibration and test rows into `folder`, and return it."""
    tf.keras.utils.set_random_seed(seed)
    return write_network(folder, kind, build_tiny(kind), KINDS[kind][1], seed=seed)


def write_network(
    folder: Path,
    name: str,
    keras: Any,
    features: tuple[dict[str, Any], ...],
    *,
    options: dict[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write any Keras network with a layer "head", whose weights separate the classes."""
    rng = np.random.default_rng(seed)
    classes = int(keras.get_layer(HEAD).output.shape[-1])
    y = np.arange(ROWS) % classes
    shapes = [tuple(x.shape[1:]) for x in keras.inputs]
    raw = [_clusters(rng, shape, y, classes) for shape in shapes]
    mean = [x.mean((0, *range(1, x.ndim - 1)), keepdims=True)[0] for x in raw]
    std = [x.std((0, *range(1, x.ndim - 1)), keepdims=True)[0] for x in raw]
    scaled = [(x - m) / s for x, m, s in zip(raw, mean, std, strict=True)]
    for number in range(classes if name == STACKING else 0):
        _part(keras.get_layer(f"binary{number}"), scaled, np.where(y == number, 6.0, -6.0)[:, None])
    _part(keras, scaled, 6.0 * np.eye(classes)[y])
    WindowModel(
        network=name,
        options=options or {},
        labels=tuple(EMOTIONS)[:classes] if classes != len(LABELS) else LABELS,
        features=features,
        input_shapes=tuple(shapes),
        scale_mean=tuple(mean),
        scale_std=tuple(std),
        weights=keras.get_weights(),
        lineage={"made": "for tests"},
        licence="none: made for tests",
        split="none: test rows are the calibration's",
    ).save(folder)
    arrays: dict[str, Any] = {f"x{number}": x for number, x in enumerate(raw)}
    np.savez(folder / CALIBRATION, **arrays)
    np.savez(folder / TEST, y=y, **arrays)
    return folder


def _clusters(rng: "np.random.Generator", shape: tuple[int, ...], y: "np.ndarray[Any, Any]", classes: int) -> F32:
    """Return rows around one centre per class, with the level and spread of decibels."""
    centres = rng.normal(size=(classes, *shape))
    noise = rng.normal(size=(len(y), *shape))
    rows: F32 = (-40.0 + 10.0 * (centres[y] + 0.5 * noise)).astype(np.float32)
    return rows


def _part(keras: Any, inputs: list[F32], logits: "np.ndarray[Any, Any]") -> None:
    """Set the head by least squares to give `(rows, outputs)` logits, so that rounding moves no answer."""
    head = keras.get_layer(HEAD)
    embeddings = predicted(tf.keras.Model(keras.inputs, head.input), inputs)
    wide = np.hstack([embeddings, np.ones((len(logits), 1))])
    # The dual form: as many equations as rows, however long the embedding.
    products = wide @ wide.T
    ridge = 1e-2 * np.trace(products) / len(logits) * np.eye(len(logits))
    solved = wide.T @ np.linalg.solve(products + ridge, logits)
    head.set_weights([solved[:-1].astype(np.float32), solved[-1].astype(np.float32)])


def tiny_window_bundle(folder: Path, kind: str = "two-inputs", *, version: int = 1, seed: int = 0) -> bytes:
    """Return an unsigned bundle of a kind, made in `folder`."""
    network = load_network(write_tiny(folder, kind, seed=seed), build=build_tiny)
    clip = (0.1 * np.random.default_rng(seed).normal(size=24_000)).astype(np.float32)
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return build_window_bundle(network, clip, name=kind, version=version, created=created).bundle
