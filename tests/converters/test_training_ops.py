"""Operators with written-out gradients: the same values and gradients as TensorFlow's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from overtone_converters.training_ops import add_bias, mean_of_steps, product, relu, strided_taps, taps, twice
from overtone_models.networks import tf


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def gradients(function: Callable[..., Any], *inputs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The result, and the gradients of a weighted sum of it."""
    tensors = [tf.constant(value) for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = function(*tensors)
        total = tf.reduce_sum(result * tf.constant(values(*result.shape, seed=9)))
    return result.numpy(), [gradient.numpy() for gradient in tape.gradient(total, tensors)]


@pytest.mark.parametrize(
    ("ours", "plain", "shapes"),
    [
        (relu, tf.nn.relu, [(1, 7, 3)]),
        (add_bias, lambda x, b: x + b, [(2, 5, 3), (3,)]),
        (product, lambda x, w: tf.einsum("bri,io->bro", x, w), [(1, 12, 5), (5, 4)]),
        (mean_of_steps, lambda x: tf.reduce_mean(x, 1), [(4, 6, 3)]),
        (lambda x: twice(x)[0] * 2.0 + twice(x)[1], lambda x: 3.0 * x, [(1, 4, 2)]),
    ],
    ids=["relu", "add_bias", "product", "mean_of_steps", "twice"],
)
def test_values_and_gradients_are_tensorflows(ours, plain, shapes) -> None:
    inputs = [values(*shape, seed=number) for number, shape in enumerate(shapes)]
    found, expected = gradients(ours, *inputs), gradients(plain, *inputs)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_relu_passes_no_gradient_at_zero() -> None:
    assert gradients(relu, np.zeros((1, 2, 3), np.float32))[1][0].tolist() == np.zeros((1, 2, 3)).tolist()


@pytest.mark.parametrize(
    ("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (5, 2), (4, 4), (6, 4), (9, 4), (10, 4), (8, 8), (3, 1)]
)
def test_every_step_of_a_stride_sees_its_own_past(kernel: int, stride: int) -> None:
    x, past, steps = values(2, 8, 3), kernel - stride, 8 // stride
    padded = np.pad(x, [(0, 0), (past, 0), (0, 0)])
    expected = [padded[:, stride * step : stride * step + kernel].reshape(2, -1) for step in range(steps)]
    found = tf.concat(strided_taps(tf.constant(x), kernel, stride), -1).numpy()
    np.testing.assert_array_equal(found, np.stack(expected, 1))


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 4)])
def test_taps_look_back_only(kernel: int, dilation: int) -> None:
    x, past = values(2, 9, 3), (kernel - 1) * dilation
    padded = np.pad(x, [(0, 0), (past, 0), (0, 0)])
    for tap, cut in enumerate(taps(tf.constant(x), kernel, dilation, past)):
        np.testing.assert_array_equal(cut.numpy(), padded[:, tap * dilation : tap * dilation + 9])
