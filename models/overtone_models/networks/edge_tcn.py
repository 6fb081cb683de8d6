"""The edge network in TensorFlow: Keras for training, plain functions for what a device runs.

Both are the same arithmetic: `fold` turns the trained Keras model (with batch normalisation)
into the flat weights of the plain network. Builds under TensorFlow 2.14 and later.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from overtone_models.front_end import F32
from overtone_models.network_spec import Convolution, EdgeTcnSpec
from overtone_models.networks import tf
from overtone_models.networks.causal import CausalConvolution, CausalDepthwise

Tensors = dict[str, Any]
STD_FLOOR = 1e-4


def keras_model(spec: EdgeTcnSpec, *, dropout: float = 0.0) -> Any:
    """Return a Keras model: `(batch, frames, n_features)` and mask `(batch, frames / hop)` -> logits.

    The mask holds 1 for hops of speech and 0 for padding. Frames must be a multiple of the hop.
    """
    layers = tf.keras.layers
    frames = tf.keras.Input((None, spec.n_features), name="frames")
    mask = tf.keras.Input((None,), name="mask")
    x = frames
    for c in spec.convolutions:
        y = CausalDepthwise(c.kernel, dilation=c.dilation, name=f"{c.name}_depthwise")(x) if c.separable else x
        kernel = {"kernel": 1} if c.separable else {"kernel": c.kernel, "stride": c.stride, "dilation": c.dilation}
        y = CausalConvolution(c.outputs, **kernel, name=c.name)(y)
        y = layers.ReLU()(layers.BatchNormalization(name=f"{c.name}_norm")(y))
        if c.residual:
            y = layers.Add()([x, layers.SpatialDropout1D(dropout)(y) if dropout else y])
        x = y
    hops = layers.AveragePooling1D(spec.hop_steps)(x) if spec.hop_steps > 1 else x
    embedding = MaskedStatistics(name="embedding")([hops, mask])
    if dropout:
        embedding = layers.Dropout(2 * dropout)(embedding)
    logits = layers.Dense(spec.n_classes, name="head")(embedding)
    return tf.keras.Model([frames, mask], logits, name="edge_tcn")


class MaskedStatistics(tf.keras.layers.Layer):  # type: ignore[misc]
    """Mean and standard deviation over the hops that a mask keeps: `(batch, 2 * width)`."""

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the pooled embedding of `(batch, hops, channels)` and `(batch, hops)`."""
        return masked_statistics(*inputs)


def masked_statistics(hops: Any, mask: Any) -> Any:
    """Return the `(batch, 2 * width)` mean and deviation of the hops that the mask keeps."""
    weight = mask[:, :, None]
    count = tf.maximum(tf.reduce_sum(weight, 1), 1.0)
    mean = tf.reduce_sum(hops * weight, 1) / count
    variance = tf.reduce_sum(tf.square(hops - mean[:, None]) * weight, 1) / count
    return tf.concat([mean, tf.sqrt(variance + STD_FLOOR)], -1)


def fold(model: Any, spec: EdgeTcnSpec, basis: F32 | None = None) -> F32:
    """Return the flat weights of a Keras model with its batch normalisation folded in.

    `basis`, `(spec.n_features, features of the model)`, maps the features of the flat weights to those that the model
    was trained on; it is folded into the first layer.
    """
    weights: dict[str, F32] = {}
    for number, c in enumerate(spec.convolutions):
        kernel, weights[f"{c.name}/b"] = _folded(model, c.name)
        if basis is not None and number == 0:
            kernel = np.einsum("fm,kmc->kfc", basis, kernel).astype(np.float32)
        weights[f"{c.name}/w"] = kernel[0] if c.separable else kernel
        if c.separable:
            weights[f"{c.name}/depthwise"] = model.get_layer(f"{c.name}_depthwise").get_weights()[0]
    weights["head/w"], weights["head/b"] = model.get_layer("head").get_weights()
    return spec.layout.flatten(weights)


def _folded(model: Any, name: str) -> tuple[F32, F32]:
    kernel = model.get_layer(name).get_weights()[0]
    norm = model.get_layer(f"{name}_norm")
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return (kernel * scale).astype(np.float32), (beta - mean * scale).astype(np.float32)


def zero_states(spec: EdgeTcnSpec, batch: int = 1) -> list[F32]:
    """Return the states at the beginning of an utterance."""
    return [np.zeros((batch, steps, channels), np.float32) for steps, channels in spec.state_shapes]


def body(spec: EdgeTcnSpec, weights: Tensors, frames: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Return `(batch, hops, width)` hop features and the new states of the plain network."""
    x, states_before, after = frames, iter(states), []
    for c in spec.convolutions:
        y = x
        if c.past:
            state = next(states_before)
            y = tf.concat([state, x], 1)
            after.append(y[:, y.shape[1] - c.past :, :])
        y = tf.nn.relu(_convolved(c, weights, y) + weights[f"{c.name}/b"])
        x = x + y if c.residual else y
    if spec.hop_steps > 1:
        x = tf.reduce_mean(tf.reshape(x, [x.shape[0], -1, spec.hop_steps, spec.width]), 2)
    return x, after


def _convolved(c: Convolution, weights: Tensors, x: Any) -> Any:
    kernel = weights[f"{c.name}/w"]
    if not c.separable:
        return tf.nn.conv1d(x, kernel, c.stride, "VALID", dilations=c.dilation)
    depthwise = tf.reshape(weights[f"{c.name}/depthwise"], [1, c.kernel, c.inputs, 1])
    y = tf.nn.depthwise_conv2d(x[:, None], depthwise, [1, 1, 1, 1], "VALID", dilations=[1, c.dilation])[:, 0]
    return tf.nn.conv1d(y, kernel[None], 1, "VALID")


def pad_utterances(utterances: Sequence[F32], spec: EdgeTcnSpec, frames: int) -> tuple[F32, F32]:
    """Return `(n, frames, n_features)` zero-padded or truncated utterances and the `(n, hops)` mask of whole hops."""
    x = np.zeros((len(utterances), frames, spec.n_features), np.float32)
    mask = np.zeros((len(utterances), frames // spec.hop_frames), np.float32)
    for row, utterance in enumerate(utterances):
        cut = utterance[:frames]
        x[row, : len(cut)] = cut
        mask[row, : len(cut) // spec.hop_frames] = 1.0
    return x, mask


def embeddings(spec: EdgeTcnSpec, weights: F32, utterances: Sequence[F32], batch: int = 32) -> F32:
    """Return `(n, 2 * width)` embeddings of standardised utterances by the plain offline network."""
    tensors = {name: tf.constant(value) for name, value in spec.layout.unflatten(weights).items()}
    order = np.argsort([len(u) for u in utterances], kind="stable")
    result = np.empty((len(utterances), spec.embedding_size), np.float32)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        longest = max(len(utterances[row]) for row in rows)
        frames = -(-longest // spec.hop_frames) * spec.hop_frames
        x, mask = pad_utterances([utterances[row] for row in rows], spec, frames)
        states = [tf.constant(state) for state in zero_states(spec, len(rows))]
        hops, _ = body(spec, tensors, tf.constant(x), states)
        result[rows] = masked_statistics(hops, tf.constant(mask)).numpy()
    return result


def logits(spec: EdgeTcnSpec, weights: F32, utterances: Sequence[F32]) -> F32:
    """Return `(n, n_classes)` logits of standardised utterances by the plain offline network."""
    head = spec.layout.unflatten(weights)
    result: F32 = embeddings(spec, weights, utterances) @ head["head/w"] + head["head/b"]
    return result
