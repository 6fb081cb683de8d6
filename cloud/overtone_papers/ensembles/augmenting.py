"""Variation of log-mels while a network trains: shifts in time, masked bands and masked times (option `augment`)."""

from typing import Any

from overtone_models.networks import tf

SHIFT_FRAMES, BAND_WIDTH, TIME_WIDTH = 25, 20, 25


class Varied(tf.keras.layers.Layer):  # type: ignore[misc]
    """`(batch, mels, frames, 1)` standardised log-mels, varied in training only; masks hold the mean, 0."""

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, each shifted later by up to 25 frames, with one band and one time masked."""
        if not training:
            return x
        padded = tf.pad(x, [[0, 0], [0, 0], [SHIFT_FRAMES, 0], [0, 0]], "SYMMETRIC")
        start = tf.random.uniform([], 0, SHIFT_FRAMES + 1, tf.int32)
        shifted = tf.slice(padded, [0, 0, start, 0], [-1, -1, x.shape[2], -1])
        return shifted * _mask(x, 1, BAND_WIDTH) * _mask(x, 2, TIME_WIDTH)


def _mask(x: Any, axis: int, widest: int) -> Any:
    """Return a mask with a run of zeros of random place and width for each sample, broadcast against `x`."""
    batch, size = tf.shape(x)[0], x.shape[axis]
    width = tf.random.uniform([batch, 1], 0, widest + 1, tf.int32)
    first = tf.cast(tf.random.uniform([batch, 1]) * tf.cast(size - width + 1, tf.float32), tf.int32)
    places = tf.range(size)[None]
    kept = tf.cast((places < first) | (places >= first + width), tf.float32)
    shape = [-1, 1, 1, 1]
    shape[axis] = size
    return tf.reshape(kept, shape)


def varied(model: Any) -> Any:
    """Return a network that trains `model` (the same weights) on varied log-mels; means pass as they are."""
    keras = tf.keras
    inputs = [keras.Input(tuple(given.shape[1:])) for given in model.inputs]
    fed = [Varied()(given) if len(given.shape) == 4 else given for given in inputs]
    single = len(inputs) == 1
    return keras.Model(inputs[0] if single else inputs, model(fed[0] if single else fed))
