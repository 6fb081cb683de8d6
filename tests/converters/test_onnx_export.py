"""The network as ONNX: ONNX Runtime answers as TensorFlow and the device do, and the file says how to use it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from overtone_converters.build import build_bundle
from overtone_converters.errors import ConversionError, ParityError
from overtone_converters.onnx_export import Onnx, OnnxNetwork, build_onnx, check_parity
from overtone_converters.testing import tiny_model
from overtone_edge.hearing.streaming import Recogniser
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.front_end import F32, FrontEndSpec, mfcc
from overtone_models.networks import edge_tcn


@pytest.fixture(scope="module")
def made(bundle: Bundle) -> Onnx:
    return build_onnx(bundle)


def noise(seconds: float, seed: int = 3) -> F32:
    return (0.1 * np.random.default_rng(seed).normal(size=round(16_000 * seconds))).astype(np.float32)


def test_the_golden_clip_is_answered_as_by_the_network(made: Onnx, bundle: Bundle) -> None:
    assert made.parity.hops == len(bundle.golden_probabilities)
    assert made.parity.difference <= 1e-5
    assert made.parity.label_agreement == 1.0
    assert 0.0 < made.parity.device_difference < 0.02


def test_an_utterance_ends_with_the_offline_networks_answer(made: Onnx, bundle: Bundle) -> None:
    """2.5 s, which the last seconds hold whole: the embedding is that of the network with a mask over all hops."""
    frames = bundle.standardise(mfcc(noise(2.5), bundle.manifest.front_end)).astype(np.float32)
    network, size = OnnxNetwork(made.model), bundle.manifest.edge.hop_frames
    for _ in range(2):
        for start in range(0, len(frames) - size + 1, size):
            answer = network.process(frames[start : start + size])
        (embedding,) = edge_tcn.embeddings(bundle.manifest.edge, bundle.weights, [frames])
        logits = edge_tcn.logits(bundle.manifest.edge, bundle.weights, [frames])
        np.testing.assert_allclose(answer["embedding"], embedding, atol=1e-4)
        (probabilities,) = bundle.manifest.calibration.probabilities(logits)
        np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-4)
        network.reset()


def test_what_came_before_the_last_seconds_is_forgotten(made: Onnx, bundle: Bundle) -> None:
    assert check_parity(bundle, made.model, noise(5.0)).hops == 49


@pytest.mark.data
def test_real_clips_are_answered_as_by_the_network_and_the_device(speech_data: Path) -> None:
    import soundfile

    clips = []
    for path in sorted((speech_data / "ravdess").rglob("*.flac"))[::120]:
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 16_000
        clips.append(samples)
    assert len(clips) >= 6
    model = tiny_model()
    calibration = [mfcc(clip, model.front_end) for clip in clips[1::2]]
    bundle = read_bundle(build_bundle(model, calibration, clips[0], name="real", version=1))
    made = build_onnx(bundle)
    for clip in clips[::2]:
        found = check_parity(bundle, made.model, clip)
        assert found.hops >= 20
        assert found.difference <= 2e-5
        assert found.device_difference <= 0.05 and found.label_agreement >= 0.9


def test_the_calibrations_temperature_is_in_the_probabilities(bundle: Bundle) -> None:
    manifest = replace(bundle.manifest, calibration=replace(bundle.manifest.calibration, temperature=2.5))
    warm = replace(bundle, manifest=manifest)
    assert build_onnx(warm).parity.difference <= 1e-5
    assert OnnxNetwork(build_onnx(warm).model).metadata["temperature"] == "2.5"


def test_the_file_is_plain_float_onnx_with_the_signatures_names(made: Onnx, bundle: Bundle) -> None:
    model = onnx.load_from_string(made.model)
    assert {item.domain: item.version for item in model.opset_import}[""] == 13
    assert {node.domain for node in model.graph.node} == {""}
    assert not {node.op_type for node in model.graph.node} & {"QuantizeLinear", "Loop", "If", "Scan"}
    network, spec = OnnxNetwork(made.model), bundle.manifest.edge
    states = {f"state{index}": (1, *shape) for index, shape in enumerate(spec.state_shapes)}
    states |= {"recent": (1, 30, spec.width), "heard": (1, 30)}
    assert network.inputs == {"frames": (1, spec.hop_frames, spec.n_features), **states}
    answers = {"hop": (1, spec.width), "embedding": (1, spec.embedding_size), "probabilities": (1, spec.n_classes)}
    assert network.outputs == {**answers, **{f"next_{name}": shape for name, shape in states.items()}}


def test_the_file_alone_is_enough_to_use_it(made: Onnx, bundle: Bundle, tmp_path: Path) -> None:
    """Sound to label with ONNX Runtime and the metadata only, against the device."""
    (tmp_path / "model.onnx").write_bytes(made.model)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    front_end = json.loads(said["front_end"])
    digest = front_end.pop("digest")
    assert FrontEndSpec(**front_end).digest == digest == bundle.manifest.front_end.digest
    assert (said["bundle"], said["licence"]) == (bundle.digest, bundle.manifest.licence)
    assert float(said["threshold"]) == bundle.manifest.calibration.threshold
    mean, scale = (np.array(json.loads(said[f"standardise_{name}"]), np.float32) for name in ("mean", "scale"))
    np.testing.assert_array_equal(mean, bundle.standardise_mean)
    np.testing.assert_array_equal(scale, bundle.standardise_scale)
    frames = (mfcc(bundle.golden_samples, FrontEndSpec(**front_end)) - mean) * scale
    shapes = {item.name: item.shape for item in session.get_inputs()}
    size, following = shapes.pop("frames")[1], json.loads(said["states"])
    states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    heard = []
    for start in range(0, len(frames) - size + 1, size):
        given = {"frames": frames[None, start : start + size], **states}
        probabilities, *after = session.run(["probabilities", *following.values()], given)
        states = dict(zip(following, after, strict=True))
        heard.append(json.loads(said["labels"])[int(probabilities[0].argmax())])
    device = [hop.probabilities.argmax() for hop in Recogniser(bundle).process(bundle.golden_samples)]
    assert heard[: len(device)] == [bundle.manifest.labels[index] for index in device]
    assert "next_NAME" in session.get_modelmeta().description


def test_equal_bundles_give_equal_files(made: Onnx, bundle: Bundle) -> None:
    assert build_onnx(bundle).model == made.model


def test_a_difference_from_the_network_is_named(made: Onnx, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    process = OnnxNetwork.process

    def shifted(self: OnnxNetwork, frames: F32) -> dict[str, F32]:
        found = process(self, frames)
        return {**found, "embedding": found["embedding"] + np.float32(0.5)}

    monkeypatch.setattr(OnnxNetwork, "process", shifted)
    with pytest.raises(
        ParityError, match=r"embedding of the ONNX file: up to 0\.5 from the network's, limit is 0\.0001"
    ):
        build_onnx(bundle)


def test_a_nan_is_a_difference(made: Onnx, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    process = OnnxNetwork.process
    monkeypatch.setattr(
        OnnxNetwork, "process", lambda self, frames: {k: v * np.nan for k, v in process(self, frames).items()}
    )
    with pytest.raises(ParityError, match="hop of the ONNX file: up to nan from the network's"):
        check_parity(bundle, made.model, bundle.golden_samples)


def test_weights_that_are_not_the_int8_files_are_refused(bundle: Bundle) -> None:
    """The file would follow its weights exactly, and answer otherwise than the devices of the fleet."""
    body = slice(0, bundle.manifest.layout.head_slice.start)
    weights = bundle.weights.copy()
    weights[body] = -weights[body]
    with pytest.raises(ParityError, match=r"probabilities .* up to 0\.\d+ from the device's, limit is 0\.1"):
        build_onnx(replace(bundle, weights=weights))


def test_a_clip_without_a_hop_says_nothing(made: Onnx, bundle: Bundle) -> None:
    with pytest.raises(ParityError, match="a clip of 800 samples is shorter than one hop"):
        check_parity(bundle, made.model, noise(0.05))


def test_only_networks_that_stream(tmp_path: Path) -> None:
    from overtone_converters.window_testing import tiny_window_bundle

    window = read_bundle(tiny_window_bundle(tmp_path))
    with pytest.raises(ConversionError, match="two-inputs looks at whole windows; --onnx takes networks that stream"):
        build_onnx(window)


@pytest.mark.parametrize("library", ["tf2onnx", "onnx", "onnxruntime"])
def test_without_a_library_the_extra_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConversionError, match=rf"^the library {library} is not .* pip install 'overtone\[onnx\]'$"):
        build_onnx(bundle)


def test_the_command_writes_the_file(payload: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from overtone_cloud.cli.main import main

    bundle, target = tmp_path / "tiny.bundle", tmp_path / "made" / "tiny.onnx"
    bundle.write_bytes(payload)
    assert main(["export", str(bundle), "--onnx", str(target)]) == 0
    assert "of the float network in ONNX Runtime" in capsys.readouterr().out
    assert OnnxNetwork(target.read_bytes()).metadata["bundle"] == read_bundle(payload).digest
    assert main(["export", str(bundle), "--onnx", str(target), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bytes"] == target.stat().st_size and found["difference"] <= 1e-4


def test_what_fails_leaves_no_file(
    payload: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from overtone_cloud.cli.main import main

    bundle, target = tmp_path / "tiny.bundle", tmp_path / "tiny.onnx"
    bundle.write_bytes(payload)
    words = ["export", str(bundle), "--onnx", str(target)]
    monkeypatch.setattr("overtone_converters.onnx_export.MAX_DIFFERENCE", 0.0)
    assert main([*words, "--micro", str(tmp_path / "c")]) == 1
    assert "limit is 0" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("overtone: the library tf2onnx is not installed; pip install")
    bundle.write_bytes(b"no bundle")
    assert main(words) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.bundle"]
