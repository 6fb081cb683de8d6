"""Window networks of every kind: converted, the same answers on the device's runtime, heads that learn there."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.window_networks import KINDS, LABELS, build_tiny, write_tiny

from overtone_converters.errors import ConversionError, ParityError
from overtone_converters.window_body import BodyGraph, Form, forms, multiply_adds
from overtone_converters.window_build import build_window_bundle
from overtone_converters.window_lstm import lstm_steps, rewritten
from overtone_converters.window_network import WindowNetwork, load_network
from overtone_converters.window_verify import device_embeddings, parity, require_window, verify_window
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.runtime import TrainingGraph, WindowBody
from overtone_edge.hearing.streaming import open_recogniser
from overtone_models.bundle import read_bundle
from overtone_models.errors import ModelError
from overtone_models.networks import tf

CLIP = (0.1 * np.random.default_rng(0).normal(size=24_000)).astype(np.float32)


def loaded(folder: Path, kind: str) -> WindowNetwork:
    return load_network(write_tiny(folder / kind, kind), build=build_tiny)


def operators(model: bytes) -> set[str]:
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    listed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)).operatorCodes
    return {f"CUSTOM {c.customCode!r}" if c.customCode else names[max(c.builtinCode, 0)] for c in listed}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_converts_and_keeps_its_answers(kind: str, tmp_path: Path) -> None:
    network = loaded(tmp_path, kind)
    made = build_window_bundle(network, CLIP, name=kind, version=3)
    bundle = read_bundle(made.bundle)
    assert bundle.manifest.window is not None and bundle.manifest.labels == LABELS
    for model in (bundle.streaming_model, bundle.training_model):
        assert b"Flex" not in model
        assert not [name for name in operators(model) if name.startswith("CUSTOM")]
    found = verify_window(bundle, network)
    require_window(found)
    assert found.label_agreement >= 0.98 and found.accuracy_keras > 0.9
    assert found.body_bytes > 0 and found.latency_p50_ms > 0 and made.multiply_adds > 0
    assert bool(found.refused_by_agent) == (kind == "text") == (found.features_p50_ms is None)
    assert json.loads(json.dumps(found.to_json()))["accuracy_change"] == found.accuracy_device - found.accuracy_keras
    graph = TrainingGraph(bundle.training_model)
    assert graph.scopes == ("head",) and graph.size("head") == bundle.weights.size
    with pytest.raises(InferenceError, match="no scope 'full'; it has head"):
        graph.size("full")


@pytest.mark.parametrize("kind", KINDS)
def test_float_is_within_its_limit(kind: str, tmp_path: Path) -> None:
    network = loaded(tmp_path, kind)
    lstm = "fused" if lstm_steps(network.body) else ""
    body = BodyGraph(network.body, network.input_shapes, lstm).converted("float32", network.calibration)
    w, b = network.head
    assert parity(network.logits(network.test), device_embeddings(body, network.test) @ w + b).difference < 1e-4


def test_windows_do_not_remember_one_another(tmp_path: Path) -> None:
    """A fused LSTM's state is a variable of the file: it must not reach from one window into the next."""
    network = loaded(tmp_path, "lstm")
    body = WindowBody(BodyGraph(network.body, network.input_shapes, "fused").converted("float32", []))
    one, two = network.test[0][0], network.test[0][1]
    first = body.embed([one])
    body.embed([two])
    np.testing.assert_array_equal(body.embed([one]), first)


def test_fused_and_unrolled_lstm_are_the_networks(tmp_path: Path) -> None:
    network = loaded(tmp_path, "lstm")
    assert lstm_steps(network.body) == 32
    names = {}
    for lstm in ("fused", "unrolled"):
        body = BodyGraph(network.body, network.input_shapes, lstm).converted("float32", [])
        np.testing.assert_allclose(
            device_embeddings(body, network.test), network.embeddings(network.test), atol=1e-5, rtol=1e-4
        )
        names[lstm] = operators(body)
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in names["fused"] and "WHILE" not in names["fused"]
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" not in names["unrolled"]


def test_long_lstm_are_not_written_out() -> None:
    def body(steps: int):
        inputs = tf.keras.Input((steps, 2))
        return tf.keras.Model(inputs, tf.keras.layers.LSTM(3)(inputs))

    assert [str(form) for form in forms(body(64))][:2] == ["int8, LSTM fused", "int8, LSTM unrolled"]
    assert Form("int8", "unrolled") not in forms(body(65))
    assert [
        form.precision for form in forms(tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2)]))
    ] == [
        "int8",
        "float32",
        "int8 weights",
    ]


def test_an_lstm_that_the_operator_is_not_stays_as_it_is() -> None:
    inputs = tf.keras.Input((4, 2))
    model = tf.keras.Model(inputs, tf.keras.layers.LSTM(3, go_backwards=True)(inputs))
    assert [type(layer).__name__ for layer in rewritten(model, unrolled=False).layers] == ["InputLayer", "LSTM"]


def test_multiply_adds_of_known_layers() -> None:
    layers = tf.keras.layers
    inputs = tf.keras.Input((10, 4))
    x = layers.Conv1D(8, 3)(inputs)  # 8 steps x 8 filters x 3 taps x 4 channels
    x = layers.LSTM(5)(x)  # 8 steps x 20 gates x (8 + 5)
    model = tf.keras.Model(inputs, layers.Dense(7)(x))  # 35
    graph = BodyGraph(model, [(10, 4)], "fused")
    assert multiply_adds(graph.function) == 8 * 8 * 3 * 4 + 8 * 20 * 13 + 35


def test_int8_that_changes_answers_is_given_up_for_float(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overtone_converters import window_verify

    monkeypatch.setattr(window_verify, "MIN_AGREEMENT", 0.9999)
    network = loaded(tmp_path, "dense")
    w, b = network.head
    keras = network.keras.get_layer("head")
    keras.set_weights([1e-3 * np.random.default_rng(0).normal(size=w.shape), np.zeros_like(b)])  # near ties
    noisy = [np.random.default_rng(1).normal(size=(400, *shape)).astype(np.float32) for shape in network.input_shapes]
    made = build_window_bundle(replace(network, test=noisy), CLIP, name="dense", version=1)
    assert made.form.precision == "float32"
    assert made.rejections[0].startswith("int8: label agreement is ")


def test_a_body_too_large_for_a_bundle_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overtone_converters import window_build

    monkeypatch.setattr(window_build, "MAX_BYTES", 1000)
    with pytest.raises(ParityError, match=r"dense cannot be converted: int8: the file is .* a bundle's limit is 1000"):
        build_window_bundle(loaded(tmp_path, "dense"), CLIP, name="dense", version=1)


def test_a_trained_head_gives_what_tensorflow_gives(tmp_path: Path) -> None:
    network = loaded(tmp_path, "conv1d")
    bundle = read_bundle(build_window_bundle(network, CLIP, name="x", version=1).bundle)
    assert verify_window(bundle, network).head_step_difference < 1e-5
    spec = bundle.manifest.window
    assert spec is not None
    recogniser = open_recogniser(bundle)
    rows = [recogniser.embedding(spec.flatten([x[row] for x in network.raw_test])) for row in range(16)]
    assert 1.0 < np.sqrt(np.square(rows).sum(1).mean()) < 16.0


def broken(folder: Path, change: str) -> Path:
    """A tiny network's folder with something wrong."""
    write_tiny(folder, "conv1d")
    description = json.loads((folder / "window.json").read_text())
    arrays = dict(np.load(folder / "test.npz"))
    if change == "no calibration":
        (folder / "calibration.npz").unlink()
    elif change == "no weights":
        (folder / "weights.safetensors").unlink()
    elif change == "weights are garbage":
        (folder / "weights.safetensors").write_bytes(b"garbage" * 9)
    elif change == "json is garbage":
        (folder / "window.json").write_text("{")
    elif change == "no labels":
        description.pop("labels")
    elif change == "network":
        description["network"] = "conv9d"
    elif change == "options":
        description["options"] = {"size": 3}
    elif change == "labels":
        description["labels"] = ["a", "b"]
    elif change == "shape":
        arrays["x0"] = arrays["x0"][:, :, :-1]
    elif change == "rows":
        arrays["y"] = arrays["y"][:-1]
    elif change == "class":
        arrays["y"] = arrays["y"] + 1
    elif change == "not finite":
        arrays["x0"][3, 2, 1] = np.inf
    elif change == "kind":
        description["network"] = "lstm"
    if change not in ("json is garbage",):
        (folder / "window.json").write_text(json.dumps(description))
    np.savez(folder / "test.npz", **arrays)
    return folder


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("no calibration", r"calibration\.npz is missing: it is needed for conversion"),
        ("no weights", r"cannot read .*weights\.safetensors: No such file"),
        ("weights are garbage", r"weights\.safetensors: not a file of weights"),
        ("json is garbage", r"window\.json: not a window network's description"),
        ("no labels", r"window\.json: a field is missing or wrong: KeyError\('labels'\)"),
        ("network", r"there is no network 'conv9d'"),
        ("options", r"conv1d cannot be built with its options: .*'size'"),
        ("labels", r"the head gives 4 logits for 2 labels"),
        ("shape", r"test\.npz: x0 has rows of shape \(16, 31\), the network takes \(16, 32\)"),
        ("rows", r"test\.npz: y must hold 64 class numbers"),
        ("class", r"test\.npz: y holds 4, there are 4 labels from 0"),
        ("not finite", r"test\.npz: x0 holds a value that is not finite"),
        ("kind", r"lstm has 8 weight arrays|weight array|lstm has \d+ weight arrays, the folder \d+"),
    ],
)
def test_folders_that_cannot_be_converted(tmp_path: Path, change: str, text: str) -> None:
    with pytest.raises((ModelError, ConversionError), match=text) as caught:
        load_network(broken(tmp_path, change), build=build_tiny)
    assert "\n" not in str(caught.value)


def test_another_folders_bundle_is_not_verified(tmp_path: Path) -> None:
    network = loaded(tmp_path, "dense")
    other = read_bundle(build_window_bundle(loaded(tmp_path, "conv1d"), CLIP, name="x", version=1).bundle)
    with pytest.raises(ParityError, match="the bundle takes"):
        verify_window(other, network)
