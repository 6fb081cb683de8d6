"""The TFLite runtime behind its two nouns; gradients and parity are in tests/converters."""

import numpy as np
import pytest

from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.runtime import StreamingNetwork, TrainingGraph, runtime_name
from overtone_models.bundle import Bundle


@pytest.fixture
def network(bundle: Bundle) -> StreamingNetwork:
    return StreamingNetwork(bundle.streaming_model)


def test_one_of_the_two_runtimes_is_named_with_its_version() -> None:
    name, version = runtime_name().split(" ")
    assert name in ("ai-edge-litert", "tflite-runtime")
    assert version[0].isdigit()


def test_a_runtime_that_is_not_there(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    monkeypatch.setenv("OVERTONE_RUNTIME", "onnxruntime")
    with pytest.raises(InferenceError, match="no TFLite runtime called onnxruntime: install ai-edge-litert"):
        runtime_name()
    with pytest.raises(InferenceError, match="no TFLite runtime"):
        StreamingNetwork(bundle.streaming_model)


def test_no_runtime_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delenv("OVERTONE_RUNTIME", raising=False)
    with pytest.raises(InferenceError, match="no TFLite runtime: install ai-edge-litert or tflite-runtime"):
        runtime_name()


def test_network_tells_its_sizes(network: StreamingNetwork, bundle: Bundle) -> None:
    spec = bundle.manifest.network
    assert (network.hop_frames, network.n_features, network.width) == (spec.hop_frames, 40, spec.width)


def test_hops_depend_on_what_came_before_until_reset(network: StreamingNetwork) -> None:
    frames = np.random.default_rng(0).normal(size=(10, 40)).astype(np.float32)
    first = network.process(frames)
    assert first.shape == (network.width,)
    assert first.dtype == np.float32
    kept = first.copy()
    assert not np.array_equal(network.process(frames), kept)
    np.testing.assert_array_equal(first, kept)
    network.reset()
    np.testing.assert_array_equal(network.process(frames), kept)


def test_extreme_frames_saturate(network: StreamingNetwork) -> None:
    for value in (1e6, -1e6, 3e38):
        hop = network.process(np.full((10, 40), value, np.float32))
        assert np.isfinite(hop).all()
        assert np.abs(hop).max() < 1e4


@pytest.mark.parametrize("shape", [(10,), (9, 40), (10, 41), (0, 40), (1, 10, 40)])
def test_hops_that_do_not_fit_leave_the_state(network: StreamingNetwork, shape: tuple[int, ...]) -> None:
    frames = np.random.default_rng(0).normal(size=(10, 40)).astype(np.float32)
    kept = network.process(frames)
    with pytest.raises(InferenceError, match=r"the model takes \(10, 40\)"):
        network.process(np.zeros(shape, np.float32))
    with pytest.raises(InferenceError, match="float64"):
        network.process(frames.astype(np.float64))
    other = network.process(frames)
    network.reset()
    np.testing.assert_array_equal(network.process(frames), kept)
    np.testing.assert_array_equal(network.process(frames), other)


@pytest.mark.parametrize("model", [b"", b"x" * 100])
def test_what_is_no_model(model: bytes) -> None:
    with pytest.raises(InferenceError, match="the runtime refuses the model"):
        StreamingNetwork(model)
    with pytest.raises(InferenceError, match="the runtime refuses the model"):
        TrainingGraph(model)


def test_the_two_files_cannot_be_confused(bundle: Bundle) -> None:
    with pytest.raises(InferenceError, match="the model has no signature 'step'"):
        StreamingNetwork(bundle.training_model)
    with pytest.raises(InferenceError, match="the model has no signature 'head_set'"):
        TrainingGraph(bundle.streaming_model)


def test_what_get_returns_does_not_change_with_training(bundle: Bundle) -> None:
    graph = TrainingGraph(bundle.training_model)
    graph.set("head", bundle.head)
    weights, velocity = graph.get("head")
    x = np.ones((graph.batch, graph.embedding_size), np.float32)
    y = np.eye(graph.n_classes, dtype=np.float32)[np.zeros(graph.batch, int)]
    logits = graph.infer("head", x)
    kept = logits.copy()
    graph.train("head", x, y, np.ones(graph.batch, np.float32), lr=0.1, momentum=0.9)
    graph.infer("head", x)
    np.testing.assert_array_equal(weights, bundle.head)
    np.testing.assert_array_equal(velocity, 0)
    np.testing.assert_array_equal(logits, kept)
    assert not np.array_equal(graph.get("head")[0], weights)


def test_what_is_trained_is_what_the_recogniser_uses(bundle: Bundle) -> None:
    graph = TrainingGraph(bundle.training_model)
    graph.set("head", bundle.head)
    x = np.random.default_rng(1).normal(size=(graph.batch, graph.embedding_size)).astype(np.float32)
    split = graph.embedding_size * graph.n_classes
    w, b = bundle.head[:split].reshape(graph.embedding_size, graph.n_classes), bundle.head[split:]
    np.testing.assert_allclose(graph.infer("head", x), x @ w + b, atol=1e-4)
