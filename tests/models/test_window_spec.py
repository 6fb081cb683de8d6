"""Window networks without TensorFlow: specification, folder, inputs from sound, bundles of format 2."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_models.archive import unpack
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_models.calibration import Calibration
from overtone_models.errors import BundleError, FrontEndError, ModelError
from overtone_models.front_end import FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.manifest import Manifest
from overtone_models.window_inputs import WindowInputs, fit_shape, resample, window_seconds
from overtone_models.window_model import WindowModel, is_window_folder, load_calibration, load_test
from overtone_models.window_spec import WindowSpec

LOG_MEL = {"name": "log-mel", "n_mels": 16, "seconds": 1.0}
SPEC = WindowSpec(
    name="two",
    features=(LOG_MEL, {"name": "mean-mfcc", "seconds": 1.0, "offset_s": 0.1}),
    input_shapes=((16, 32, 1), (40,)),
    scale_shapes=((1, 32, 1), (40,)),
    window_s=1.5,
    embedding_size=3,
    n_classes=2,
)
TEXT = replace(SPEC, features=(LOG_MEL, {"name": "text", "width": 40}))


def test_json_gives_the_same_back() -> None:
    spec = replace(SPEC, padding=((), tuple(map(float, np.linspace(-1, 1, 40, dtype=np.float32)))))
    again = WindowSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again.to_json() == spec.to_json()
    assert (again.features_digest, again.layout.digest) == (spec.features_digest, spec.layout.digest)
    assert (spec.layout.size, spec.values, spec.scale_values) == (3 * 2 + 2, 16 * 32 + 40, 32 + 40)


def test_the_digest_is_of_what_is_heard_alone() -> None:
    assert replace(SPEC, precision="float32", decision_every_s=0.2, embedding_scale=3.0).features_digest == (
        SPEC.features_digest
    )
    for other in (replace(SPEC, window_s=2.0), TEXT, replace(SPEC, padding=((), (0.5,) * 40))):
        assert other.features_digest != SPEC.features_digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": ""}, "name is ''"),
        ({"input_shapes": ((16, 32, 1),)}, "1 inputs, but 2 features"),
        ({"input_shapes": ((16, 0, 1), (40,))}, r"input of shape \(16, 0, 1\)"),
        ({"scale_shapes": ((1, 31, 1), (40,))}, r"a mean of shape \(1, 31, 1\) does not fit"),
        ({"embedding_size": 0}, "embedding_size is 0"),
        ({"n_classes": True}, "n_classes is True"),
        ({"window_s": 61.0}, r"window_s is 61.0, limit is 0.1..60 s"),
        ({"decision_every_s": 2.0}, r"decision_every_s is 2.0, limit is 0.1..1.5 s"),
        ({"precision": "int4"}, "precision is 'int4'; there are int8, float32"),
        ({"embedding_scale": 0.0}, "embedding_scale is 0.0"),
        ({"padding": ((), (1.0,))}, r"padding of \[0, 1\] values"),
        ({"padding": ((),)}, r"padding of \[0\] values"),
        ({"features": (3, 4)}, "not a window network's specification"),
        ({"more": 1}, "not a window network's specification"),
    ],
)
def test_specifications_that_cannot_be(change: dict, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        WindowSpec.from_json({**SPEC.to_json(), **change})


def test_text_and_unknown_features_are_said_in_one_line() -> None:
    assert SPEC.missing == ""
    assert TEXT.missing == "the network two needs text (input 1), which a device does not have"
    with pytest.raises(FrontEndError, match="needs text"):
        WindowInputs(TEXT)
    unknown = replace(SPEC, features=(LOG_MEL, {"name": "wavelets"}))
    assert unknown.missing.startswith("the network two needs an input that a device cannot compute: feature 'wavelets'")


def test_inputs_come_in_the_networks_shapes_of_the_last_window() -> None:
    sound = (0.1 * np.random.default_rng(0).normal(size=40_000)).astype(np.float32)
    inputs = WindowInputs(SPEC)
    got = inputs.compute(sound)
    assert [x.shape for x in got] == [(16, 32, 1), (40,)] and all(x.dtype == np.float32 for x in got)
    for a, b in zip(got, inputs.compute(sound[-24_000:]), strict=True):
        np.testing.assert_array_equal(a, b)
    row = SPEC.flatten(got)
    assert row.shape == (1, SPEC.values)
    for a, b in zip(got, SPEC.unflatten(row), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ModelError, match=r"a window of two has shape \(1, 552\), got \(1, 551\)"):
        SPEC.unflatten(row[:, :-1])
    with pytest.raises(FrontEndError, match="starts at offset_s"):
        inputs.compute(sound[:800])


def test_standardisation_broadcasts_each_inputs_own_shape() -> None:
    inputs = [np.ones((16, 32, 1), np.float32), np.arange(40, dtype=np.float32)]
    mean = np.concatenate([np.full(32, 1.0), np.arange(40)]).astype(np.float32)
    first, second = SPEC.standardise(inputs, mean, np.full(72, 2.0, np.float32))
    assert not first.any() and not second.any() and first.shape == (16, 32, 1)


def test_features_of_any_length_are_cut_or_padded() -> None:
    track = np.arange(12, dtype=np.float32).reshape(6, 2)
    np.testing.assert_array_equal(fit_shape(track, (4, 2), "x"), track[:4])
    padded = fit_shape(track, (8, 2), "x", (5.0, 6.0))
    np.testing.assert_array_equal(padded[6:], [[5, 6], [5, 6]])
    assert fit_shape(track, (8, 2, 1), "x")[6:].sum() == 0
    with pytest.raises(FrontEndError, match=r"feature x has shape \(6, 2\), the network takes \(8, 3\)"):
        fit_shape(track, (8, 3), "x")
    with pytest.raises(FrontEndError, match="not finite"):
        fit_shape(track * np.float32(np.nan), (6, 2), "x")


@pytest.mark.parametrize("count", [1, 7, 319, 320, 8_000, 48_001])
def test_resampling_keeps_a_tone(count: int) -> None:
    t = np.arange(count) / 16_000
    sound = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    got = resample(sound, 16_000, 22_050)
    assert got.size == round(count * 22_050 / 16_000) and got.dtype == np.float32
    if count > 4_000:
        expected = np.sin(2 * np.pi * 440 * np.arange(got.size) / 22_050)
        np.testing.assert_allclose(got[500:-500], expected[500:-500], atol=2e-3)
    np.testing.assert_array_equal(resample(sound, 16_000, 16_000), sound)


def test_windows_that_features_tell() -> None:
    assert window_seconds(LOG_MEL) == 1.0
    assert window_seconds({"name": "mean-mfcc"}) == 3.5
    assert window_seconds({"name": "short-term"}) == pytest.approx(10.1)
    assert window_seconds({"name": "crop"}) == 3.0


def model() -> WindowModel:
    rng = np.random.default_rng(1)
    return WindowModel(
        network="n",
        options={"width": 3},
        labels=("neutral", "happy"),
        features=(LOG_MEL,),
        input_shapes=((16, None),),
        scale_mean=(np.zeros((1, 32), np.float32),),
        scale_std=(np.full((1, 32), 2.0, np.float32),),
        weights=[rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (), (4,))],
        lineage={"seed": 4},
        licence="CC",
        split="random",
        window_s=2.0,
    )


def test_a_folder_gives_the_same_back(tmp_path: Path) -> None:
    assert not is_window_folder(tmp_path)
    model().save(tmp_path / "a" / "b")
    again = WindowModel.load(tmp_path / "a" / "b")
    assert is_window_folder(tmp_path / "a" / "b")
    for name in ("network", "options", "labels", "features", "input_shapes", "licence", "split", "window_s"):
        assert getattr(again, name) == getattr(model(), name)
    assert again.lineage == {"seed": "4"}
    for a, b in zip(again.weights, model().weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(again.standardise([np.full((5, 16, 32), 4.0)])[0], np.full((5, 16, 32), 2.0))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"weights": [np.array([1.0, np.nan], np.float32)]}, "n: weight array 0 holds a value that is not finite"),
        (
            {"scale_std": (np.zeros((1, 32), np.float32),)},
            "n: input 0: mean or deviation is not finite, or not positive",
        ),
        ({"scale_mean": (np.zeros((1, 31), np.float32),)}, r"the mean of input 0 has shape \(1, 31\)"),
        ({"scale_mean": ()}, "0 means and 1 deviations must be equal in number"),
        ({"labels": ("sad", "sad")}, "they must be two or more, each once"),
    ],
)
def test_models_that_cannot_be(change: dict, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        replace(model(), **change)


def test_rows_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"calibration\.npz is missing"):
        load_calibration(tmp_path)
    (tmp_path / "calibration.npz").write_bytes(b"PK garbage")
    with pytest.raises(ModelError, match="not a file of arrays"):
        load_calibration(tmp_path)
    np.savez(tmp_path / "calibration.npz", x1=np.zeros((2, 3)))
    with pytest.raises(ModelError, match="there is no array x0"):
        load_calibration(tmp_path)
    np.savez(tmp_path / "calibration.npz", x0=np.zeros((2, 3)), x1=np.zeros((3, 3)))
    with pytest.raises(ModelError, match=r"the inputs have \[2, 3\] rows"):
        load_calibration(tmp_path)
    np.savez(tmp_path / "test.npz", x0=np.zeros((2, 3)), y=np.zeros((2, 2)))
    with pytest.raises(ModelError, match="y must hold 2 class numbers"):
        load_test(tmp_path)


def manifest(spec: WindowSpec = SPEC, **change) -> Manifest:
    values = {
        "name": "w",
        "version": 1,
        "created": "2026-01-01T00:00:00Z",
        "labels": ("very negative", "very positive"),
        "front_end": FrontEndSpec(),
        "gate": GateSpec(),
        "network": spec,
        "calibration": Calibration(),
        "base_round": 0,
        "lineage": {},
        "licence": "none",
    }
    return Manifest(**{**values, **change})


def bundle(given: Manifest) -> bytes:
    return Bundle(
        manifest=given,
        weights=np.arange(8, dtype=np.float32),
        standardise_mean=np.zeros(72, np.float32),
        standardise_scale=np.ones(72, np.float32),
        streaming_model=b"body",
        training_model=b"training",
        golden_samples=np.zeros(16, np.float32),
        golden_probabilities=np.zeros((0, 2), np.float32),
    ).to_bytes()


def test_a_window_bundle_gives_the_same_back() -> None:
    data = bundle(manifest())
    files = unpack(data, MAX_BYTES)
    assert "body.tflite" in files and "streaming.tflite" not in files
    stored = json.loads(files["bundle.json"])
    assert stored["format"] == 2 and "front_end" not in stored
    again = read_bundle(data)
    assert again.manifest.window is not None and again.manifest.window.to_json() == SPEC.to_json()
    assert again.manifest.features_digest == SPEC.features_digest
    np.testing.assert_array_equal(again.head, again.weights)
    assert again.streaming_model == b"body"
    with pytest.raises(BundleError, match="w: the network two looks at whole windows, this needs one that streams"):
        _ = again.manifest.edge


@pytest.mark.parametrize("labels", [("a", "a"), ("", "b"), ("a\n", "b"), ("a" * 33, "b"), ("a",)])
def test_labels_that_cannot_be(labels: tuple[str, ...]) -> None:
    with pytest.raises(BundleError, match="do not fit a network of 2 classes"):
        read_bundle(bundle(manifest(labels=labels)))


def test_a_family_that_does_not_fit_its_format() -> None:
    described = json.loads(json.dumps(manifest().to_json()))
    with pytest.raises(BundleError, match="format 2 holds a network of the family window, got 'edge-tcn'"):
        Manifest.from_json({**described, "network": {"family": "edge-tcn"}})
    with pytest.raises(BundleError):
        Manifest.from_json({**described, "format": 1})
