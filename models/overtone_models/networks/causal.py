"""Causal convolutions over time as Keras layers, written as matrix products and shifts.

On a CPU they train several times faster in this form than as general convolutions, above all when the whole step is
compiled. Builds under TensorFlow 2.14 and later.
"""

from typing import Any

from overtone_models.networks import tf


class CausalConvolution(tf.keras.layers.Layer):  # type: ignore[misc]
    """`(batch, steps, channels)` -> `(batch, steps / stride, filters)`, without bias; the stride divides the steps."""

    def __init__(self, filters: int, kernel: int, *, stride: int = 1, dilation: int = 1, **more: Any) -> None:
        super().__init__(**more)
        self.filters, self.width, self.stride, self.dilation = filters, kernel, stride, dilation

    def build(self, input_shape: Any) -> None:
        """Create the `(kernel, channels, filters)` weights."""
        shape = (self.width, int(input_shape[-1]), self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="he_uniform")
        self.built = True

    def call(self, x: Any) -> Any:
        """Return the convolution of `x`, padded with zeros on the left only."""
        steps = _steps(x)
        x = tf.pad(x, [[0, 0], [(self.width - 1) * self.dilation + 1 - self.stride, 0], [0, 0]])
        cuts = [_cut(x, tap * self.dilation, steps, self.stride) for tap in range(self.width)]
        columns = cuts[0] if len(cuts) == 1 else tf.concat(cuts, -1)
        return tf.matmul(columns, tf.reshape(self.kernel, [-1, self.filters]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output shape."""
        steps = input_shape[1]
        return (input_shape[0], None if steps is None else steps // self.stride, self.filters)


class CausalDepthwise(tf.keras.layers.Layer):  # type: ignore[misc]
    """`(batch, steps, channels)` -> the same shape: each channel with a kernel of its own, without bias."""

    def __init__(self, kernel: int, *, dilation: int = 1, **more: Any) -> None:
        super().__init__(**more)
        self.width, self.dilation = kernel, dilation

    def build(self, input_shape: Any) -> None:
        """Create the `(kernel, channels)` weights, initialised so that the output has the variance of the input."""
        limit = (3.0 / self.width) ** 0.5
        uniform = tf.keras.initializers.RandomUniform(-limit, limit)
        shape = (self.width, int(input_shape[-1]))
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=uniform)
        self.built = True

    def call(self, x: Any) -> Any:
        """Return the convolution of `x`, padded with zeros on the left only."""
        steps = _steps(x)
        x = tf.pad(x, [[0, 0], [(self.width - 1) * self.dilation, 0], [0, 0]])
        return tf.add_n([_cut(x, tap * self.dilation, steps, 1) * self.kernel[tap] for tap in range(self.width)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output shape."""
        return input_shape


def _steps(x: Any) -> Any:
    return tf.shape(x)[1] if x.shape[1] is None else x.shape[1]


def _cut(x: Any, start: int, steps: Any, stride: int) -> Any:
    """Return every `stride`-th of `steps` steps from `start` on."""
    return x[:, start : start + steps - stride + 1 : stride]
