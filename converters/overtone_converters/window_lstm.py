"""LSTM layers for TFLite: one fused operator, or unrolled.

Keras 3 lowers an LSTM to a loop that cannot be calibrated for int8. The converter turns a function marked as an LSTM's
implementation into UNIDIRECTIONAL_SEQUENCE_LSTM, whatever the length: the smallest and, in float, the fastest form.
Unrolled, each step is a few operators: fast in int8, but file size and conversion time grow with the steps.
"""

import uuid
from typing import Any

from overtone_models.networks import tf

LSTM = tf.keras.layers.LSTM


class FusedLstm(tf.keras.layers.Layer):  # type: ignore[misc]
    """LSTM layer for one window at a time, marked for the converter; weights as `keras.layers.LSTM` has them."""

    def __init__(self, units: int, *, return_sequences: bool, name: str) -> None:
        super().__init__(name=name)
        self.units, self.return_sequences = units, return_sequences
        self._step_through = _marked()

    def build(self, shape: Any) -> None:
        """Create the kernel, the recurrent kernel and the bias."""
        width = 4 * self.units
        self.kernel = self.add_weight(shape=(shape[-1], width), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, width), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(width,), name="bias")

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        """Return `(batch, steps, units)`, or `(batch, units)` without sequences."""
        return (*shape[:2], self.units) if self.return_sequences else (shape[0], self.units)

    def call(self, x: Any, mask: Any = None, **_unused: Any) -> Any:
        """Return the states, or the last one."""
        zeros = tf.zeros([1, self.units])
        weights = (tf.convert_to_tensor(w) for w in (self.kernel, self.recurrent, self.bias))
        last, states, *_ = self._step_through(x, zeros, zeros, *weights)
        return states if self.return_sequences else last


def _marked() -> Any:
    """Return a function marked as an LSTM: the converter reads its marks and its five results, not its body."""

    def lstm(inputs: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            gates = tf.matmul(x, kernel) + tf.matmul(state[0], recurrent) + bias
            enter, forget, new, leave = tf.split(gates, 4, axis=1)
            cell = tf.sigmoid(forget) * state[1] + tf.sigmoid(enter) * tf.tanh(new)
            return tf.sigmoid(leave) * tf.tanh(cell), cell

        hidden, cells = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), (h, c))
        return hidden[-1], tf.transpose(hidden, [1, 0, 2]), hidden[-1], cells[-1], tf.constant(1.0)

    marks = {
        "api_implements": f"lstm_{uuid.uuid4()}",
        "api_preferred_device": "CPU",
        "go_backwards": False,
        "time_major": False,
    }
    return tf.function(lstm, autograph=False, experimental_attributes=marks)


def lstm_steps(model: Any) -> int:
    """Return the time steps of all LSTM layers together, 0 where there are none."""
    return sum(int(layer.input.shape[1] or 0) for layer in _layers(model) if isinstance(layer, LSTM))


def _layers(model: Any) -> list[Any]:
    layers = []
    for layer in model.layers:
        layers += _layers(layer) if isinstance(layer, tf.keras.Model) else [layer]
    return layers


def rewritten(model: Any, *, unrolled: bool) -> Any:
    """Return a copy of a Keras model whose LSTM layers are fused, or unrolled; other layers and weights stay."""

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if not isinstance(layer, LSTM) or not _plain(layer):
            return layer.__class__.from_config(config)
        if unrolled:
            return LSTM.from_config({**config, "unroll": True})
        return FusedLstm(layer.units, return_sequences=layer.return_sequences, name=layer.name)

    copied = tf.keras.models.clone_model(model, clone_function=copy, recursive=True)
    copied.set_weights(model.get_weights())
    return copied


def _plain(layer: Any) -> bool:
    """Return whether the layer is the LSTM that the operator computes."""
    names = (layer.activation.__name__, layer.recurrent_activation.__name__)
    odd = layer.go_backwards or layer.stateful or layer.return_state or not layer.use_bias
    return names == ("tanh", "sigmoid") and not odd
