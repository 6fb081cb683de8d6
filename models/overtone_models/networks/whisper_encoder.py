"""The first layers of a Whisper encoder over one window of log-mels, with a head: the network of the model `large`.

Both convolutions are matrix products of neighbouring frames, the scale and offset of each layer norm are part of the
matrix that follows, and queries, keys and values are one product: fewer operators on a device, the same numbers. The
encoder's weights come from `overtone_models.whisper_weights` and stay as they are unless a layer is set trainable.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from overtone_models.errors import ModelError
from overtone_models.features.whisper_log_mel import WhisperLogMelSpec
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.whisper_weights import TAPS, WhisperShape, WhisperWeights

NAME = "whisper-encoder"
POOLINGS = ("mean-deviation", "mean")
NORM_EPSILON, DEVIATION_FLOOR = 1e-5, 1e-6
MAX_FRAMES = 3000
BATCH = 32

_Layer: Any = tf.keras.layers.Layer


def _dense(layer: Any, name: str, inputs: int, outputs: int) -> tuple[Any, Any]:
    """Return the variables of a matrix `(inputs, outputs)` and its bias."""
    kernel = layer.add_weight(name=f"{name}_kernel", shape=(inputs, outputs), initializer="glorot_uniform")
    return kernel, layer.add_weight(name=f"{name}_bias", shape=(outputs,), initializer="zeros")


def _product(x: Any, kernel_and_bias: tuple[Any, Any]) -> Any:
    """Return `(batch, steps, outputs)`; as a product of two matrices, for which runtimes have their fastest kernel."""
    kernel, bias = kernel_and_bias
    inputs, outputs = kernel.shape
    flat = tf.matmul(tf.reshape(x, (-1, inputs)), tf.convert_to_tensor(kernel)) + tf.convert_to_tensor(bias)
    return tf.reshape(flat, (-1, x.shape[1], outputs))


def _gelu(x: Any) -> Any:
    return tf.nn.gelu(x, approximate=False)


def _normed(x: Any) -> Any:
    """Return each step less its mean over its deviation; scale and offset are in the matrix that follows."""
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + NORM_EPSILON)


class Convolutions(_Layer):  # type: ignore[misc]
    """`(batch, frames, mels)` -> `(batch, frames / 2, width)`: two convolutions with GELU, and positions added."""

    def __init__(self, width: int, **more: Any) -> None:
        super().__init__(**more)
        self.width = width

    def build(self, input_shape: Any) -> None:
        """Create the variables."""
        _, frames, mels = input_shape
        self.first = _dense(self, "first", TAPS * mels, self.width)
        self.second = _dense(self, "second", TAPS * self.width, self.width)
        self.positions = self.add_weight(name="positions", shape=(frames // 2, self.width), initializer="zeros")
        self.built = True

    def call(self, frames: Any) -> Any:
        """Return the steps."""
        count = frames.shape[1]
        padded = tf.pad(frames, [[0, 0], [1, 1], [0, 0]])
        x = _gelu(_product(tf.concat([padded[:, tap : tap + count] for tap in range(TAPS)], -1), self.first))
        # Pairs of rows: step i sees the rows 2i and 2i + 1 of one pair and the first row of the next.
        pairs = tf.reshape(tf.pad(x, [[0, 0], [1, 1], [0, 0]]), (-1, count // 2 + 1, 2 * self.width))
        x = _product(tf.concat([pairs[:, :-1], pairs[:, 1:, : self.width]], -1), self.second)
        return _gelu(x) + tf.convert_to_tensor(self.positions)


class EncoderLayer(_Layer):  # type: ignore[misc]
    """`(batch, steps, width)` -> the same: attention over all steps, then two dense layers, each added to its input."""

    def __init__(self, heads: int, inner: int, **more: Any) -> None:
        super().__init__(**more)
        self.heads, self.inner = heads, inner

    def build(self, input_shape: Any) -> None:
        """Create the variables."""
        width = input_shape[-1]
        self.attended = _dense(self, "attended", width, 3 * width)
        self.joined = _dense(self, "joined", width, width)
        self.wide = _dense(self, "wide", width, self.inner)
        self.narrow = _dense(self, "narrow", self.inner, width)
        self.built = True

    def call(self, x: Any) -> Any:
        """Return the layer's output."""
        steps, width = x.shape[1:]
        parts = tf.split(_product(_normed(x), self.attended), 3, axis=-1)
        heads = (-1, steps, self.heads, width // self.heads)
        query, key, value = (tf.transpose(tf.reshape(part, heads), (0, 2, 1, 3)) for part in parts)
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True))
        together = tf.reshape(tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3)), (-1, steps, width))
        x = x + _product(together, self.joined)
        return x + _product(_gelu(_product(_normed(x), self.wide)), self.narrow)


class SoundSteps(_Layer):  # type: ignore[misc]
    """`(batch, frames, mels)` -> `(batch, frames / 2, 1)`: 1 for steps with sound, 0 where both frames are padding.

    Frames of the padding lie at the floor in every band, as nothing else in a window does.
    """

    def call(self, frames: Any) -> Any:
        """Return the mask."""
        span = tf.reduce_max(frames, -1) - tf.reduce_min(frames, -1)
        both = tf.reduce_max(tf.reshape(span, (-1, frames.shape[1] // 2, 2)), -1, keepdims=True)
        return tf.cast(both > 0.0, tf.float32)


class Pooling(_Layer):  # type: ignore[misc]
    """Steps `(batch, steps, width)` and mask -> mean, or mean and standard deviation, over the steps with sound."""

    def __init__(self, pooling: str, **more: Any) -> None:
        super().__init__(**more)
        self.deviation = pooling == "mean-deviation"

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return `(batch, width)`, or twice the width with deviations."""
        x, mask = inputs
        weight = mask / tf.maximum(tf.reduce_sum(mask, 1, keepdims=True), 1.0)
        mean = tf.reduce_sum(x * weight, 1, keepdims=True)
        if not self.deviation:
            return mean[:, 0]
        variance = tf.reduce_sum(tf.square(x - mean) * weight, 1)
        return tf.concat([mean[:, 0], tf.sqrt(variance + DEVIATION_FLOOR)], -1)


def build(
    *,
    n_classes: int,
    frames: int = 300,
    outputs: Sequence[int] = (2,),
    pooling: str = "mean-deviation",
    mels: int = 80,
    width: int = 384,
    heads: int = 6,
    inner: int = 1536,
) -> Any:
    """Return the Keras model `(batch, frames, mels)` -> `(batch, n_classes)` logits; sizes are those of tiny.en.

    `outputs` numbers the layers, from 1, whose steps are pooled side by side; layers above the last of them are left
    out. Raises ValueError for options that do not go together.
    """
    if type(frames) is not int or not 2 <= frames <= MAX_FRAMES or frames % 2:
        raise ValueError(f"frames is {frames!r}, limit is the even numbers 2..{MAX_FRAMES}")
    if not outputs or list(outputs) != sorted({int(number) for number in outputs}) or outputs[0] < 1:
        raise ValueError(f"outputs are {list(outputs)}, they must be ascending numbers of layers from 1")
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; there are {', '.join(POOLINGS)}")
    if width % heads:
        raise ValueError(f"width is {width}, it must be a multiple of its {heads} heads")
    log_mel = tf.keras.Input((frames, mels), name="log_mel")
    mask = SoundSteps(name="sound")(log_mel)
    x = Convolutions(width, name="convolutions", trainable=False)(log_mel)
    pooled = []
    for number in range(1, outputs[-1] + 1):
        x = EncoderLayer(heads, inner, name=f"layer{number}", trainable=False)(x)
        if number in outputs:
            pooled.append(Pooling(pooling, name=f"pooling{number}")([x, mask]))
    embedding = pooled[0] if len(pooled) == 1 else tf.keras.layers.Concatenate(name="embedding")(pooled)
    return tf.keras.Model(log_mel, tf.keras.layers.Dense(n_classes, name="head")(embedding), name="whisper_encoder")


def options(
    shape: WhisperShape,
    *,
    n_classes: int,
    feature: WhisperLogMelSpec | None = None,
    outputs: Sequence[int] = (2,),
    pooling: str = "mean-deviation",
) -> dict[str, Any]:
    """Return the options of `build` for an encoder of a shape and the windows of a feature (3 s)."""
    return {
        "n_classes": n_classes,
        "frames": (feature or WhisperLogMelSpec()).shape[0],
        "outputs": list(outputs),
        "pooling": pooling,
        "mels": shape.mels,
        "width": shape.width,
        "heads": shape.heads,
        "inner": shape.inner,
    }


def load(model: Any, weights: WhisperWeights) -> None:
    """Set a model's encoder to stored weights; its head stays. Raises ModelError where they do not fit."""
    layers = [layer for layer in model.layers if isinstance(layer, EncoderLayer)]
    if len(layers) > weights.layers:
        raise ModelError(f"the network takes {len(layers)} layers of a Whisper encoder, {weights.layers} were read")
    _set(model.get_layer("convolutions"), _convolutions(weights, model.inputs[0].shape[1] // 2))
    for number, layer in enumerate(layers):
        if layer.heads != weights.shape.heads:
            raise ModelError(f"the network has {layer.heads} heads, the Whisper encoder {weights.shape.heads}")
        _set(layer, _layer(weights, f"layers.{number}"))


def _set(layer: Any, arrays: Sequence[F32]) -> None:
    expected = [tuple(variable.shape) for variable in layer.weights]
    if (actual := [array.shape for array in arrays]) != expected:
        raise ModelError(f"the Whisper encoder's {layer.name} has shapes {actual}, the network takes {expected}")
    layer.set_weights(list(arrays))


def _convolutions(weights: WhisperWeights, steps: int) -> list[F32]:
    arrays: list[F32] = []
    for name in ("conv1", "conv2"):
        kernel = weights[f"{name}.weight"].transpose(2, 1, 0)  # taps, inputs, outputs
        arrays += [kernel.reshape(-1, kernel.shape[-1]), weights[f"{name}.bias"]]
    return [*arrays, weights["embed_positions.weight"][:steps]]


def _layer(weights: WhisperWeights, name: str) -> list[F32]:
    attention, norm = f"{name}.self_attn", f"{name}.self_attn_layer_norm"
    scale = np.float32((weights.shape.width // weights.shape.heads) ** -0.5)
    parts = [
        _folded(weights, norm, f"{attention}.{part}", factor)
        for part, factor in (("q_proj", scale), ("k_proj", np.float32(1.0)), ("v_proj", np.float32(1.0)))
    ]
    wide = _folded(weights, f"{name}.final_layer_norm", f"{name}.fc1", np.float32(1.0))
    return [
        np.concatenate([kernel for kernel, _ in parts], axis=1),
        np.concatenate([bias for _, bias in parts]),
        weights[f"{attention}.out_proj.weight"].T,
        weights[f"{attention}.out_proj.bias"],
        *wide,
        weights[f"{name}.fc2.weight"].T,
        weights[f"{name}.fc2.bias"],
    ]


def _folded(weights: WhisperWeights, norm: str, dense: str, factor: np.float32) -> tuple[F32, F32]:
    """Return matrix `(inputs, outputs)` and bias of a dense layer behind a layer norm's scale and offset."""
    matrix = weights[f"{dense}.weight"]
    bias = weights.tensors.get(f"{dense}.bias", np.zeros(len(matrix), np.float32))
    kernel = (matrix * weights[f"{norm}.weight"]).T * factor
    return kernel, (bias + matrix @ weights[f"{norm}.bias"]) * factor


def embeddings(model: Any, windows: F32, *, batch: int = BATCH) -> F32:
    """Return `(rows, embedding)` of `(rows, frames, mels)` log-mels: what the head of a model sees, in float32.

    The graph is compiled once per call, so give it many windows.
    """
    body = tf.keras.Model(model.inputs, model.get_layer("head").input)
    signature = tf.TensorSpec([None, *model.inputs[0].shape[1:]])
    run = tf.function(lambda x: body([x], training=False), autograph=False).get_concrete_function(signature)
    parts = [run(tf.constant(windows[start : start + batch])).numpy() for start in range(0, len(windows), batch)]
    return np.concatenate(parts) if parts else np.zeros((0, body.output.shape[-1]), np.float32)
