"""Converts the training graph to TFLite: signatures that train the head or the whole network.

Only builtin operators, see `training_ops.py`.
Weights and the optimiser's velocity are one flat variable each, so `set` and `get` move vectors
in the layout that updates travel in.
"""

import tempfile
from functools import lru_cache
from typing import Any, Protocol

from overtone_converters.errors import ConversionError
from overtone_converters.training_ops import (
    add_bias,
    convolution,
    depthwise,
    mean_of_steps,
    product,
    relu,
    standard_deviation,
    strided_taps,
    taps,
    twice,
)
from overtone_models.layout import SCOPES, WeightLayout
from overtone_models.network_spec import Convolution, EdgeTcnSpec
from overtone_models.networks import native_stderr_silenced, tf

BATCH = 16
LOG_FLOOR = 1e-12


def hop_features(spec: EdgeTcnSpec, weights: dict[str, Any], frames: Any) -> Any:
    """Return `(batch, hops, width)`, equal to `edge_tcn.body` from zero states."""
    batch, steps = frames.shape[0], frames.shape[1]
    x = tf.reshape(frames, [1, batch * steps, spec.n_features])
    for c in spec.convolutions:
        branch = x
        if c.residual:
            x, branch = twice(x)
        branch = tf.reshape(branch, [batch, steps, c.inputs])
        y = relu(_convolution(c, weights, branch))
        x = x + y if c.residual else y
        steps //= c.stride
    if spec.hop_steps > 1:
        x = mean_of_steps(tf.reshape(x, [batch * steps // spec.hop_steps, spec.hop_steps, spec.width]))
    return tf.reshape(x, [batch, steps // spec.hop_steps, spec.width])


def _convolution(c: Convolution, weights: dict[str, Any], x: Any) -> Any:
    """Return the biased convolution of `(batch, steps, inputs)` as `(1, batch * steps / stride, outputs)`."""
    batch, steps, channels = x.shape
    kernel, bias = weights[f"{c.name}/w"], weights[f"{c.name}/b"]
    if c.separable:
        y = depthwise(tf.reshape(x, [1, batch, steps, channels]), weights[f"{c.name}/depthwise"], dilation=c.dilation)
        return add_bias(product(tf.reshape(y, [1, batch * steps, channels]), kernel), bias)
    if c.dilation == 1:
        return convolution(strided_taps(x, c.kernel, c.stride), kernel, bias)
    return convolution(taps(x, c.kernel, c.dilation, c.past), kernel, bias)


def statistics(hops: Any) -> Any:
    """Return the `(batch, 2 * width)` mean and standard deviation over the hops."""
    count = hops.shape[1]
    mean = tf.reduce_sum(hops, 1, keepdims=True) * (1.0 / count)
    centred = hops - mean
    variance = tf.reduce_sum(centred * centred, 1) * (1.0 / count)
    return tf.concat([tf.reshape(mean, [hops.shape[0], hops.shape[2]]), standard_deviation(variance)], -1)


def cross_entropy(logits: Any, y: Any, weight: Any) -> Any:
    """Return the weighted mean cross entropy in nats; rows of weight 0 do not count."""
    shifted = logits - tf.stop_gradient(tf.reduce_max(logits, -1, keepdims=True))
    total = tf.reduce_sum(tf.exp(shifted), -1, keepdims=True)
    loss = -tf.reduce_sum(y * (shifted - tf.math.log(total)), -1)
    return tf.reduce_sum(loss * weight) / (tf.stop_gradient(tf.reduce_sum(weight)) + LOG_FLOOR)


class Learnable(Protocol):
    """Sizes of a network that head training depends on."""

    @property
    def layout(self) -> WeightLayout:
        """The flat weights' layout."""

    @property
    def embedding_size(self) -> int:
        """Length of the head's input."""

    @property
    def n_classes(self) -> int:
        """Number of logits."""


class TrainingModule(tf.Module):  # type: ignore[misc]
    """The scopes' variables and functions; `signatures()` is what gets converted."""

    def __init__(
        self,
        spec: Learnable,
        *,
        batch: int = BATCH,
        frames: int = 0,
        scopes: tuple[str, ...] = SCOPES,
    ) -> None:
        super().__init__()
        self.spec, self.batch, self.frames = spec, batch, frames
        parts = {scope: spec.layout.scope_slice(scope) for scope in reversed(scopes)}
        self.sizes = {scope: part.stop - part.start for scope, part in parts.items()}
        self.weights = {scope: tf.Variable(tf.zeros([n]), name=f"{scope}_weights") for scope, n in self.sizes.items()}
        self.velocity = {scope: tf.Variable(tf.zeros([n]), name=f"{scope}_velocity") for scope, n in self.sizes.items()}

    def tensors(self, scope: str) -> dict[str, Any]:
        """Return the scope's named tensors, cut out of its flat variable."""
        flat = tf.identity(self.weights[scope])
        start, tensors = 0, {}
        for tensor in self.spec.layout.tensors:
            if scope == "head" and not tensor.head:
                continue
            tensors[tensor.name] = tf.reshape(tf.slice(flat, [start], [tensor.size]), tensor.shape)
            start += tensor.size
        return tensors

    def logits(self, scope: str, weights: dict[str, Any], x: Any) -> Any:
        """Return `(batch, n_classes)` logits: of embeddings for head, of frames for full."""
        embedding = x if scope == "head" else statistics(hop_features(self._edge(), weights, x))
        return add_bias(tf.matmul(embedding, weights["head/w"]), weights["head/b"])

    def x_shape(self, scope: str) -> list[int]:
        """Return the shape of one batch of examples."""
        if scope == "head":
            return [self.batch, self.spec.embedding_size]
        return [self.batch, self.frames, self._edge().n_features]

    def _edge(self) -> EdgeTcnSpec:
        if not isinstance(self.spec, EdgeTcnSpec):
            raise ConversionError("only an edge network trains the scope full on devices")
        return self.spec

    def train(self, scope: str, x: Any, y: Any, weight: Any, lr: Any, momentum: Any) -> dict[str, Any]:
        """Take one step of SGD with momentum: v = momentum * v + g; w = w - lr * v."""
        tensors = self.tensors(scope)
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = cross_entropy(self.logits(scope, tensors, x), y, weight)
        gradients = tape.gradient(loss, tensors)
        flat = tf.concat([tf.reshape(gradients[name], [-1]) for name in tensors], 0)
        velocity = self.velocity[scope] * momentum + flat
        self.velocity[scope].assign(velocity)
        self.weights[scope].assign(self.weights[scope] - velocity * lr)
        return {"loss": tf.reshape(loss, [1])}

    def signatures(self) -> dict[str, Any]:
        """Return concrete functions `{scope}_{set,get,train,infer}`.

        No input is a scalar: a rank-0 signature input crashes ai-edge-litert 2.3.0 on aarch64.
        """
        functions: dict[str, Any] = {}
        for scope, size in self.sizes.items():
            x = tf.TensorSpec(self.x_shape(scope), name="x")
            y = tf.TensorSpec([self.batch, self.spec.n_classes], name="y")
            weight = tf.TensorSpec([self.batch], name="weight")
            lr, momentum = tf.TensorSpec([1], name="lr"), tf.TensorSpec([1], name="momentum")
            vector, second = tf.TensorSpec([size], name="weights"), tf.TensorSpec([size], name="velocity")
            functions |= {
                f"{scope}_train": self._function(self._train_in(scope), [x, y, weight, lr, momentum]),
                f"{scope}_infer": self._function(self._infer_in(scope), [x]),
                f"{scope}_get": self._function(self._get_in(scope), []),
                f"{scope}_set": self._function(self._set_in(scope), [vector, second]),
            }
        return {name: function.get_concrete_function() for name, function in functions.items()}

    def _function(self, function: Any, signature: list[Any]) -> Any:
        return tf.function(function, input_signature=signature, autograph=False)

    def _train_in(self, scope: str) -> Any:
        def train(x: Any, y: Any, weight: Any, lr: Any, momentum: Any) -> dict[str, Any]:
            return self.train(scope, x, y, weight, lr, momentum)

        return train

    def _infer_in(self, scope: str) -> Any:
        def infer(x: Any) -> dict[str, Any]:
            return {"logits": self.logits(scope, self.tensors(scope), x)}

        return infer

    def _get_in(self, scope: str) -> Any:
        def get() -> dict[str, Any]:
            return {
                "weights": tf.identity(self.weights[scope]),
                "velocity": tf.identity(self.velocity[scope]),
            }

        return get

    def _set_in(self, scope: str) -> Any:
        def assign(weights: Any, velocity: Any) -> dict[str, Any]:
            self.weights[scope].assign(weights)
            self.velocity[scope].assign(velocity)
            return {"size": tf.constant([weights.shape[0]])}

        return assign


@lru_cache(maxsize=4)
def training_model(spec: EdgeTcnSpec, *, batch: int = BATCH, frames: int | None = None) -> bytes:
    """Return the training TFLite for examples of `frames` frames (None: 3 s).

    It holds no weights: `set` must be called before anything else. One conversion serves every model of the network.
    """
    frames = spec.frames_3_s if frames is None else frames
    if batch < 1 or frames < 1 or frames % spec.hop_frames:
        raise ConversionError(f"frames is {frames}, it must be a multiple of the hop of {spec.hop_frames} frames")
    return _converted(TrainingModule(spec, batch=batch, frames=frames))


def head_training_model(spec: Learnable, *, batch: int = BATCH) -> bytes:
    """Return a training TFLite with the scope head alone, for a body that stays as it is."""
    return _converted(TrainingModule(spec, batch=batch, scopes=("head",)))


def _converted(module: TrainingModule) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.signatures())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True
        with native_stderr_silenced():
            model: bytes = converter.convert()
    return without_initial_values(model)


def without_initial_values(model: bytes) -> bytes:
    """Return the training TFLite without the initial zeros of its variables: half of its bytes.

    They are constants of a subgraph that no signature runs; `set` gives the variables their values and sizes.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    run = {signature.subgraphIndex for signature in content.signatureDefs}
    buffers = {tensor.buffer for index in run for tensor in content.subgraphs[index].tensors}
    for graph in [graph for index, graph in enumerate(content.subgraphs) if index not in run]:
        for buffer in {tensor.buffer for tensor in graph.tensors} - buffers:
            content.buffers[buffer].data = None
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))
