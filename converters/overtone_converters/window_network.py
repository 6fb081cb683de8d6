"""Loads a window network's folder into Keras: the network with its weights, raw and standardised rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_converters.errors import ConversionError
from overtone_models.front_end import F32
from overtone_models.networks import window
from overtone_models.window_model import CALIBRATION, TEST, WindowModel, load_calibration, load_test

HEAD = "head"
BATCH = 16

Build = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class WindowNetwork:
    """A stored network ready for conversion; `calibration` and `test` are standardised, `raw_test` is not."""

    model: WindowModel
    keras: Any
    calibration: list[F32]
    test: list[F32]
    raw_test: list[F32]
    targets: NDArray[np.int64]

    @property
    def head(self) -> tuple[F32, F32]:
        """The head's `(embedding, classes)` matrix and `(classes,)` bias."""
        w, b = self.keras.get_layer(HEAD).get_weights()
        return w, b

    @property
    def body(self) -> Any:
        """The Keras model up to the embedding."""
        from overtone_models.networks import tf

        return tf.keras.Model(self.keras.inputs, self.keras.get_layer(HEAD).input)

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the inputs without the batch, every length resolved."""
        return tuple(x.shape[1:] for x in self.calibration)

    def embeddings(self, inputs: Sequence[F32]) -> F32:
        """Return `(rows, embedding)` of standardised rows as Keras computes them."""
        return predicted(self.body, inputs)

    def logits(self, inputs: Sequence[F32]) -> F32:
        """Return `(rows, classes)` logits of standardised rows as Keras computes them."""
        from overtone_models.networks import tf

        return predicted(tf.keras.Model(self.keras.inputs, self.keras.get_layer(HEAD).output), inputs)


def predicted(model: Any, inputs: Sequence[F32]) -> F32:
    """Return a Keras model's output for `(rows, *shape)` inputs, in batches.

    Keras' `predict` would trace every model anew and warn about that on the terminal.
    """
    batches = ([x[start : start + BATCH] for x in inputs] for start in range(0, len(inputs[0]), BATCH))
    return np.concatenate([np.asarray(model(x, training=False)) for x in batches])


def load_network(folder: Path, *, build: Build | None = None) -> WindowNetwork:
    """Return the network in `folder`; raise ModelError or ConversionError naming what does not fit.

    `build(name, **options)` returns the Keras model; without it the table of `overtone_models.networks.window`.
    """
    model = WindowModel.load(folder)
    calibration = load_calibration(folder)
    raw_test, targets = load_test(folder)
    for name, inputs in ((CALIBRATION, calibration), (TEST, raw_test)):
        _check_inputs(folder / name, model, inputs, calibration)
    keras = _build_network(folder, model, build or window.build)
    _check_inputs_of(folder, keras, calibration)
    if targets.min() < 0 or targets.max() >= len(model.labels):
        raise ConversionError(f"{folder / TEST}: y holds {targets.max()}, there are {len(model.labels)} labels from 0")
    return WindowNetwork(model, keras, model.standardise(calibration), model.standardise(raw_test), raw_test, targets)


def _check_inputs(path: Path, model: WindowModel, inputs: Sequence[F32], calibration: Sequence[F32]) -> None:
    if len(inputs) != len(model.input_shapes):
        raise ConversionError(f"{path} has {len(inputs)} inputs, the network has {len(model.input_shapes)}")
    for number, (x, shape) in enumerate(zip(inputs, model.input_shapes, strict=True)):
        expected = tuple(own if n is None else n for n, own in zip(shape, calibration[number].shape[1:], strict=False))
        if len(expected) != len(shape) or x.shape[1:] != expected:
            raise ConversionError(f"{path}: x{number} has rows of shape {x.shape[1:]}, the network takes {shape}")


def _build_network(folder: Path, model: WindowModel, build: Build) -> Any:
    try:
        keras = build(model.network, **model.options)
    except KeyError as error:
        raise ConversionError(f"{folder}: there is no network {model.network!r}") from error
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{folder}: {model.network} cannot be built with its options: {error}") from error
    expected = [tuple(w.shape) for w in keras.get_weights()]
    actual = [tuple(w.shape) for w in model.weights]
    if len(expected) != len(actual):
        raise ConversionError(f"{folder}: {model.network} has {len(expected)} weight arrays, the folder {len(actual)}")
    for number, (want, have) in enumerate(zip(expected, actual, strict=True)):
        if want != have:
            raise ConversionError(
                f"{folder}: weight array {number} has shape {have}, {model.network} as described takes {want}"
            )
    keras.set_weights(list(model.weights))
    _check_head(folder, model, keras)
    return keras


def _check_head(folder: Path, model: WindowModel, keras: Any) -> None:
    try:
        head = keras.get_layer(HEAD)
    except ValueError as error:
        raise ConversionError(f"{folder}: {model.network} has no layer called {HEAD}") from error
    weights = head.get_weights()
    if len(weights) != 2 or weights[0].ndim != 2 or len(head.input.shape) != 2:
        raise ConversionError(f"{folder}: the head of {model.network} is not a dense layer over one embedding")
    if weights[0].shape[1] != len(model.labels):
        raise ConversionError(f"{folder}: the head gives {weights[0].shape[1]} logits for {len(model.labels)} labels")


def _check_inputs_of(folder: Path, keras: Any, calibration: Sequence[F32]) -> None:
    shapes = [tuple(x.shape[1:]) for x in keras.inputs]
    actual = [x.shape[1:] for x in calibration]
    fits = len(shapes) == len(actual) and all(
        len(want) == len(have) and all(n in (None, m) for n, m in zip(want, have, strict=True))
        for want, have in zip(shapes, actual, strict=True)
    )
    if not fits:
        raise ConversionError(f"{folder}: inputs have the shapes {actual}, the network takes {shapes}")
