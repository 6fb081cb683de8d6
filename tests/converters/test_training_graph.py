"""The learning file on the device's runtime: TensorFlow's own gradients, builtin operators only."""

from typing import Any

import numpy as np
import pytest

from overtone_converters.errors import ConversionError
from overtone_converters.training import training_model
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.runtime import TrainingGraph
from overtone_models.bundle import Bundle
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.networks import edge_tcn, tf

SCOPES = ("head", "full")
# Small steps: with large ones float32 rounding flips a relu here and there, and the paths part.
RATE, MOMENTUM = 0.01, 0.9


def example(bundle: Bundle, graph: TrainingGraph, scope: str, seed: int = 0) -> tuple[np.ndarray, ...]:
    """A batch of random examples: x, y, weight."""
    rng = np.random.default_rng(seed)
    shape = (graph.frames, graph.n_features) if scope == "full" else (graph.embedding_size,)
    x = rng.normal(size=(graph.batch, *shape)).astype(np.float32)
    y = np.eye(graph.n_classes, dtype=np.float32)[rng.integers(0, graph.n_classes, graph.batch)]
    return x, y, np.ones(graph.batch, np.float32)


class Reference:
    """The Keras-side plain network with TensorFlow's own gradients and SGD with momentum, in float32."""

    def __init__(self, bundle: Bundle, scope: str) -> None:
        self.spec, self.scope = bundle.manifest.network, scope
        named = bundle.manifest.layout.unflatten(bundle.weights)
        trained = {t.name for t in bundle.manifest.layout.tensors if t.head or scope == "full"}
        self.variables = {name: tf.Variable(value) for name, value in named.items() if name in trained}
        self.optimizer = tf.keras.optimizers.SGD(RATE, momentum=MOMENTUM)
        # By XLA: without it some processors have no gradient of a dilated convolution.
        self._gradients = tf.function(self._loss_and_gradients, jit_compile=True, autograph=False)

    def logits(self, x: np.ndarray) -> Any:
        embedding: Any = tf.convert_to_tensor(x)
        if self.scope == "full":
            states = [tf.constant(s) for s in edge_tcn.zero_states(self.spec, x.shape[0])]
            hops, _ = edge_tcn.body(self.spec, self.variables, embedding, states)
            embedding = edge_tcn.masked_statistics(hops, tf.ones(hops.shape[:2]))
        return tf.matmul(embedding, self.variables["head/w"]) + self.variables["head/b"]

    def train(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
        loss, gradients = self._gradients(*map(tf.constant, (x, y, weight)))
        self.optimizer.apply_gradients(zip(gradients, self.variables.values(), strict=True))
        return float(loss)

    def _loss_and_gradients(self, x: Any, y: Any, weight: Any) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(y, self.logits(x))
            loss = tf.reduce_sum(losses * weight) / tf.reduce_sum(weight)
        return loss, tape.gradient(loss, list(self.variables.values()))

    def weights(self) -> np.ndarray:
        return np.concatenate([v.numpy().reshape(-1) for v in self.variables.values()])


def start(bundle: Bundle, graph: TrainingGraph, scope: str) -> np.ndarray:
    weights = bundle.weights[bundle.manifest.layout.scope_slice(scope)].copy()
    graph.set(scope, weights)
    return weights


@pytest.mark.parametrize("scope", SCOPES)
def test_twenty_steps_equal_tensorflows_own(bundle: Bundle, graph: TrainingGraph, scope: str) -> None:
    before = start(bundle, graph, scope)
    reference = Reference(bundle, scope)
    for step in range(20):
        x, y, weight = example(bundle, graph, scope, step)
        weight[: step % 3] = 0.0
        loss = graph.train(scope, x, y, weight, lr=RATE, momentum=MOMENTUM)
        assert loss == pytest.approx(reference.train(x, y, weight), abs=1e-4, rel=1e-4)
    after = graph.get(scope)[0]
    np.testing.assert_allclose(after, reference.weights(), atol=1e-5, rtol=0)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(graph.infer(scope, x), reference.logits(x).numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scope", SCOPES)
def test_repeated_steps_on_one_batch_lower_its_loss(bundle: Bundle, graph: TrainingGraph, scope: str) -> None:
    start(bundle, graph, scope)
    batch = example(bundle, graph, scope)
    losses = [graph.train(scope, *batch, lr=0.02, momentum=0.5) for _ in range(15)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("scope", SCOPES)
def test_training_goes_on_exactly_from_get_and_set(bundle: Bundle, graph: TrainingGraph, scope: str) -> None:
    start(bundle, graph, scope)
    for step in range(3):
        graph.train(scope, *example(bundle, graph, scope, step), lr=RATE, momentum=MOMENTUM)
    weights, velocity = graph.get(scope)
    assert np.abs(velocity).max() > 0
    other = TrainingGraph(bundle.training_model)
    other.set(scope, weights, velocity)
    for step in range(3, 6):
        for each in (graph, other):
            each.train(scope, *example(bundle, graph, scope, step), lr=RATE, momentum=MOMENTUM)
    for got, expected in zip(other.get(scope), graph.get(scope), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_set_without_velocity_forgets_the_momentum(bundle: Bundle, graph: TrainingGraph) -> None:
    weights = start(bundle, graph, "head")
    graph.train("head", *example(bundle, graph, "head"), lr=RATE, momentum=MOMENTUM)
    graph.set("head", weights)
    got, velocity = graph.get("head")
    np.testing.assert_array_equal(got, weights)
    np.testing.assert_array_equal(velocity, 0.0)


@pytest.mark.parametrize("scope", SCOPES)
def test_rows_of_weight_zero_count_nothing(bundle: Bundle, graph: TrainingGraph, scope: str) -> None:
    x, y, weight = example(bundle, graph, scope)
    weight[10:] = 0.0
    found = []
    for filling in (0.0, 7.5):
        start(bundle, graph, scope)
        x[10:], y[10:] = filling, 0.0
        loss = graph.train(scope, x, y, weight, lr=RATE, momentum=MOMENTUM)
        found.append((loss, graph.get(scope)[0]))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-7)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_batch_of_padding_alone_changes_nothing(bundle: Bundle, graph: TrainingGraph, scope: str) -> None:
    weights = start(bundle, graph, scope)
    x, y, _ = example(bundle, graph, scope)
    loss = graph.train(scope, x, y, np.zeros(graph.batch, np.float32), lr=RATE, momentum=MOMENTUM)
    assert loss == 0.0
    np.testing.assert_array_equal(graph.get(scope)[0], weights)


def test_scopes_do_not_touch_each_other(bundle: Bundle, graph: TrainingGraph) -> None:
    start(bundle, graph, "head")
    full = start(bundle, graph, "full")
    graph.train("head", *example(bundle, graph, "head"), lr=RATE, momentum=MOMENTUM)
    np.testing.assert_array_equal(graph.get("full")[0], full)


def test_infer_of_full_equals_the_offline_network(bundle: Bundle, graph: TrainingGraph) -> None:
    start(bundle, graph, "full")
    x, _, _ = example(bundle, graph, "full")
    expected = edge_tcn.logits(bundle.manifest.network, bundle.weights, list(x))
    np.testing.assert_allclose(graph.infer("full", x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("verb", ["get", "train", "infer"])
def test_set_must_come_first(bundle: Bundle, graph: TrainingGraph, scope: str, verb: str) -> None:
    x, y, weight = example(bundle, graph, scope)
    calls = {
        "get": lambda: graph.get(scope),
        "train": lambda: graph.train(scope, x, y, weight, lr=RATE, momentum=MOMENTUM),
        "infer": lambda: graph.infer(scope, x),
    }
    with pytest.raises(InferenceError, match=f"scope {scope} has no weights yet"):
        calls[verb]()


@pytest.mark.parametrize("scope", SCOPES)
def test_inputs_that_do_not_fit_change_nothing(bundle: Bundle, graph: TrainingGraph, scope: str) -> None:
    weights = start(bundle, graph, scope)
    x, y, weight = example(bundle, graph, scope)
    for bad in (
        (x[:-1], y, weight),
        (x, y[:, :-1], weight),
        (x, y, weight[:-1]),
        (x[..., :-1], y, weight),
        (x.astype(np.float64), y, weight),
        (x, y.astype(np.int64), weight),
        (np.stack([x, x]), y, weight),
    ):
        with pytest.raises(InferenceError, match="the model takes float32 of"):
            graph.train(scope, *bad, lr=RATE, momentum=MOMENTUM)
    with pytest.raises(InferenceError, match="x is float32 of shape"):
        graph.infer(scope, x[:3])
    for wrong in (weights[:-1], weights.astype(np.float64), weights[None]):
        with pytest.raises(InferenceError, match=f"weights for scope {scope}"):
            graph.set(scope, wrong)
    with pytest.raises(InferenceError, match="velocity for scope"):
        graph.set(scope, weights, weights[:-1])
    np.testing.assert_array_equal(graph.get(scope)[0], weights)


def test_unknown_scope(graph: TrainingGraph) -> None:
    with pytest.raises(InferenceError, match="unknown scope 'body'; scopes are head, full"):
        graph.size("body")


def test_sizes_are_those_of_the_network(bundle: Bundle, graph: TrainingGraph) -> None:
    network, layout = bundle.manifest.network, bundle.manifest.layout
    assert (graph.batch, graph.frames, graph.n_features) == (16, 300, network.n_features)
    assert (graph.embedding_size, graph.n_classes) == (network.embedding_size, network.n_classes)
    assert graph.size("full") == layout.size
    assert graph.size("head") == layout.size - layout.head_slice.start


def operators(model: bytes) -> set[str]:
    """The operators of a TFLite file, all signatures; `CUSTOM name` for those that are not builtin."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    listed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)).operatorCodes
    return {f"CUSTOM {c.customCode!r}" if c.customCode else names[c.builtinCode] for c in listed}


def test_only_builtin_operators(bundle: Bundle) -> None:
    for model in (bundle.training_model, bundle.streaming_model):
        assert b"Flex" not in model
        names = operators(model)
        assert {"ADD", "RESHAPE"} & names
        assert not [name for name in names if name.startswith("CUSTOM")]


def test_no_input_is_a_scalar(graph: TrainingGraph) -> None:
    """A rank-0 signature input crashes ai-edge-litert 2.3.0 on aarch64."""
    for signature in graph._signatures.values():
        assert all(len(shape) >= 1 for shape in signature.shapes.values())


def test_other_batches_and_lengths(short_graph_file: bytes) -> None:
    graph = TrainingGraph(short_graph_file)
    assert (graph.batch, graph.frames, graph.n_features, graph.n_classes) == (4, 40, 6, 3)


def test_the_file_does_not_grow_with_the_weights() -> None:
    small, large = (training_model(EdgeTcnSpec(channels=channels, dilations=(1,))) for channels in (4, 128))
    assert len(large) - len(small) < 4_000


@pytest.mark.parametrize("frames", [0, 45])
def test_frames_must_be_whole_hops(frames: int) -> None:
    with pytest.raises(ConversionError, match=f"frames is {frames}, it must be a multiple of the hop of 10 frames"):
        training_model(EdgeTcnSpec(channels=4, dilations=(1,)), frames=frames)


def test_a_file_without_the_signatures_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InferenceError, match="the model has no signature 'head_set'"):
        TrainingGraph(bundle.streaming_model)
    with pytest.raises(InferenceError, match="the runtime refuses the model"):
        TrainingGraph(b"not a model" * 10)
