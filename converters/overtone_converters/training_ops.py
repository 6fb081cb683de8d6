"""Operators with gradients written out in TFLite builtin operators.

Every gradient that TensorFlow would write with an operator that plain TFLite lacks (relu, square root, strided slices,
convolutions, pooling) is here.
"""

from typing import Any

import numpy as np

from overtone_models.networks import tf
from overtone_models.networks.edge_tcn import STD_FLOOR


@tf.custom_gradient  # type: ignore[untyped-decorator]
def relu(x: Any) -> Any:
    """Return max(x, 0); its own gradient, since ReluGrad has no builtin operator."""
    y = tf.nn.relu(x)
    return y, lambda g: g * tf.sign(y)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def standard_deviation(variance: Any) -> Any:
    """Return sqrt(variance + floor); its own gradient, since SqrtGrad has no builtin operator."""
    deviation = tf.sqrt(variance + STD_FLOOR)
    return deviation, lambda g: g * 0.5 / deviation


@tf.custom_gradient  # type: ignore[untyped-decorator]
def add_bias(x: Any, bias: Any) -> Any:
    """Return `(..., channels)` plus `(channels,)`, with the sum written out in its gradient."""
    axes = list(range(len(x.shape) - 1))
    return x + bias, lambda g: (g, tf.reduce_sum(g, axes))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def product(x: Any, weights: Any) -> Any:
    """Return `(1, rows, inputs)` times `(inputs, outputs)`; its own gradient.

    A batch of one keeps the converter from FULLY_CONNECTED, which takes four times as long as BATCH_MATMUL where the
    weights are no constants: XNNPACK has only the latter for them.
    """
    matrix = tf.expand_dims(weights, 0)

    def gradient(g: Any) -> tuple[Any, Any]:
        dw = tf.matmul(x, g, transpose_a=True)
        return tf.matmul(g, matrix, transpose_b=True), tf.reshape(dw, weights.shape)

    return tf.matmul(x, matrix), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def twice(x: Any) -> Any:
    """Return `x` for two uses; its own gradient, since the sum of theirs would be ADD_N, outside XNNPACK."""
    return (tf.identity(x), tf.identity(x)), lambda one, other: one + other


@tf.custom_gradient  # type: ignore[untyped-decorator]
def mean_of_steps(x: Any) -> Any:
    """Return the `(batch, channels)` mean of `(batch, steps, channels)`; Mean's own gradient divides with int ops."""
    batch, steps, channels = x.shape
    spread = tf.constant(np.full((1, steps, 1), 1.0 / steps, np.float32))
    return tf.reduce_sum(x, 1) * (1.0 / steps), lambda g: tf.reshape(g, [batch, 1, channels]) * spread


def taps(x: Any, kernel: int, dilation: int, past: int) -> list[Any]:
    """Return `kernel` causal shifts of `(batch, steps, channels)`, each of the same shape.

    Cut with slice: a strided slice's gradient has no builtin operator.
    """
    padded = tf.pad(x, [[0, 0], [past, (kernel - 1) * dilation - past], [0, 0]])
    return [tf.slice(padded, [0, tap * dilation, 0], x.shape) for tap in range(kernel)]


def strided_taps(x: Any, kernel: int, stride: int) -> list[Any]:
    """Return the inputs of each `stride`-th step's `kernel` causal taps, `stride` neighbours at a time.

    The cuts are `(batch, steps / stride, neighbours * channels)`, with the taps side by side in order.
    """
    batch, steps, channels = x.shape
    groups = -(-kernel // stride)
    past = kernel - stride
    padded = tf.pad(x, [[0, 0], [past, groups * stride - stride - past], [0, 0]])
    rows = tf.reshape(padded, [batch, steps // stride + groups - 1, stride * channels])
    widths = [channels * min(stride, kernel - stride * group) for group in range(groups)]
    return [tf.slice(rows, [0, group, 0], [batch, steps // stride, width]) for group, width in enumerate(widths)]


def convolution(cuts: list[Any], kernel: Any, bias: Any) -> Any:
    """Return a causal convolution as one matrix product over its taps: `(1, batch * steps, outputs)`."""
    width, inputs, outputs = kernel.shape
    columns = tf.reshape(tf.concat(cuts, -1), [1, -1, width * inputs])
    return add_bias(product(columns, tf.reshape(kernel, [width * inputs, outputs])), bias)


def depthwise(x: Any, kernel: Any, *, dilation: int) -> Any:
    """Return a causal depthwise convolution of `(1, batch, steps, channels)` with a `(taps, channels)` kernel.

    Its own gradient: that of `x` is the convolution with the reversed kernel, that of the kernel is one of `x` with
    the outputs' gradient, one output per tap. Slices, products and sums would take twice as long.
    """
    width, channels = kernel.shape
    batch, steps = x.shape[1:3]
    past = (width - 1) * dilation

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def apply(x: Any, kernel: Any) -> Any:
        padded = tf.pad(x, [[0, 0], [0, 0], [past, 0], [0, 0]])

        def gradient(g: Any) -> tuple[Any, Any]:
            ahead = tf.pad(g, [[0, 0], [0, 0], [0, past], [0, 0]])
            reversed_kernel = tf.reshape(tf.reverse(kernel, [0]), [1, width, channels, 1])
            dk = valid_depthwise(padded, tf.reshape(g, [batch, steps, channels, 1]), stride=dilation)
            return valid_depthwise(ahead, reversed_kernel, dilation=dilation), tf.reshape(dk, kernel.shape)

        return valid_depthwise(padded, tf.reshape(kernel, [1, width, channels, 1]), dilation=dilation), gradient

    return apply(x, kernel)


def valid_depthwise(x: Any, kernel: Any, *, dilation: int = 1, stride: int = 1) -> Any:
    """Return the depthwise products of `(images, rows, steps, channels)` and a kernel wherever it fits."""
    return tf.raw_ops.DepthwiseConv2dNative(
        input=x, filter=kernel, strides=[1, stride, stride, 1], padding="VALID", dilations=[1, 1, dilation, 1]
    )
