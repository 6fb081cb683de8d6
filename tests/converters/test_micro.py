"""The model as C for microcontrollers: TensorFlow Lite Micro answers as the device does, and the header says how."""

import ctypes
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_converters.errors import ConversionError
from overtone_converters.micro import HEADER, SOURCE, Micro, build_micro
from overtone_edge.hearing.runtime import StreamingNetwork
from overtone_edge.hearing.streaming import pooled
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.front_end import F32, mfcc

pytest.importorskip("tflite_micro", reason="TensorFlow Lite Micro has wheels for x86-64 Linux only")

from overtone_converters.micro_runtime import MicroNetwork, check_parity

PROGRAM = Path(__file__).with_name("micro_front_end.c")
WARNINGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wconversion")


@pytest.fixture(scope="module")
def made(bundle: Bundle) -> Micro:
    return build_micro(bundle)


@pytest.fixture(scope="module")
def folder(made: Micro, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("micro")
    for name, content in made.files.items():
        (path / name).write_bytes(content)
    return path


@pytest.fixture(scope="module")
def program(folder: Path) -> Path:
    """The header's path, compiled with its arrays."""
    command = ["gcc", *WARNINGS, "-I", folder, PROGRAM, folder / SOURCE, "-lm", "-o", folder / "path"]
    subprocess.run(command, check=True, timeout=120)
    return folder / "path"


def ran(program: Path, verb: str, given: F32) -> F32:
    (program.parent / "in").write_bytes(given.tobytes())
    subprocess.run([program, verb, program.parent / "in", program.parent / "out"], check=True, timeout=120)
    return np.fromfile(program.parent / "out", np.float32)


def test_the_compiled_array_is_the_bundles_file(folder: Path, bundle: Bundle) -> None:
    library = folder / "model.so"
    subprocess.run(["gcc", *WARNINGS, "-shared", "-fPIC", folder / SOURCE, "-o", library], check=True, timeout=120)
    loaded = ctypes.CDLL(str(library))
    size = len(bundle.streaming_model)
    array = (ctypes.c_ubyte * size).in_dll(loaded, "overtone_model")
    assert bytes(array) == bundle.streaming_model
    assert ctypes.addressof(array) % 16 == 0
    labels = (ctypes.c_char_p * len(bundle.manifest.labels)).in_dll(loaded, "overtone_labels")
    assert tuple(label.decode() for label in labels) == bundle.manifest.labels


def test_the_headers_path_is_the_devices(program: Path, bundle: Bundle) -> None:
    samples = bundle.golden_samples
    expected = bundle.standardise(mfcc(samples, bundle.manifest.front_end))
    frames = ran(program, "frames", samples).reshape(-1, bundle.manifest.front_end.n_mfcc)
    np.testing.assert_allclose(frames, expected, atol=2e-3)
    network, size = MicroNetwork(bundle.streaming_model), bundle.manifest.edge.hop_frames
    hops = np.stack([network.process(frames[i : i + size]) for i in range(0, len(frames) - size + 1, size)])
    found = ran(program, "answer", hops)
    split = bundle.manifest.network.embedding_size * bundle.manifest.network.n_classes
    weights = bundle.head[:split].reshape(-1, bundle.manifest.network.n_classes)
    logits = pooled(hops[-30:]) @ weights + bundle.head[split:]
    np.testing.assert_allclose(found, bundle.manifest.calibration.probabilities(logits), atol=1e-5)


@pytest.mark.data
def test_real_clips_give_the_same_int8_outputs(bundle: Bundle, speech_data: Path) -> None:
    import soundfile

    clips = sorted((speech_data / "ravdess").rglob("*.flac"))[::240]
    assert len(clips) >= 3
    for path in clips:
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 16_000
        assert check_parity(bundle, samples) >= 20


def test_outputs_are_whole_steps_of_int8(bundle: Bundle) -> None:
    """What is compared bit for bit is int8 behind a scale, not floats that happen to agree."""
    network, reference = MicroNetwork(bundle.streaming_model), StreamingNetwork(bundle.streaming_model, reference=True)
    rng = np.random.default_rng(0)
    shape = (bundle.manifest.edge.hop_frames, bundle.manifest.edge.n_features)
    hops = []
    for _ in range(50):
        frames = rng.normal(size=shape).astype(np.float32)
        hops.append(network.process(frames))
        np.testing.assert_array_equal(hops[-1], reference.process(frames))
    values = np.unique(np.concatenate(hops).astype(np.float64))
    steps = np.diff(values) / np.diff(values).min()
    assert len(values) <= 256
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_the_arena_is_the_smallest(made: Micro, bundle: Bundle) -> None:
    MicroNetwork(bundle.streaming_model, arena_bytes=made.arena_bytes)
    with pytest.raises(ConversionError, match="refuses the model in an arena of"):
        MicroNetwork(bundle.streaming_model, arena_bytes=made.arena_bytes - 256)
    assert f"#define OVERTONE_ARENA_BYTES {made.arena_bytes}\n" in made.files[HEADER].decode()


def test_a_name_cannot_leave_its_comment(bundle: Bundle) -> None:
    manifest = replace(bundle.manifest, licence='*/ int x = 1; /*\nabove "all"')
    header = build_micro(replace(bundle, manifest=manifest)).files[HEADER].decode()
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    assert "int x" not in code


def test_only_networks_that_stream(tmp_path: Path) -> None:
    from overtone_converters.window_testing import tiny_window_bundle

    window = read_bundle(tiny_window_bundle(tmp_path))
    with pytest.raises(ConversionError, match="two-inputs looks at whole windows; --micro takes networks that stream"):
        build_micro(window)


def test_a_difference_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    process = MicroNetwork.process
    monkeypatch.setattr(MicroNetwork, "process", lambda self, frames: process(self, frames) + np.float32(1))
    with pytest.raises(ConversionError, match="hop 0 differs between the device's runtime and Micro by up to 1"):
        check_parity(bundle, bundle.golden_samples)


def test_without_the_library_the_extra_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tflite_micro", None)
    with pytest.raises(ConversionError, match=r"pip install 'overtone\[micro\]'"):
        build_micro(bundle)


def test_the_command_writes_the_files(payload: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from overtone_cloud.cli.main import main

    bundle = tmp_path / "tiny.bundle"
    bundle.write_bytes(payload)
    assert main(["export", str(bundle), "--micro", str(tmp_path / "c")]) == 0
    assert "hops equal to the device's runtime bit for bit" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [SOURCE, HEADER]
    assert main(["export", str(bundle), "--micro", str(tmp_path / "c"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["arena_bytes"] % 256 == 0 and "CONV_2D" in found["operators"]
    broken = tmp_path / "broken.bundle"
    broken.write_bytes(b"no bundle")
    assert main(["export", str(broken), "--micro", str(tmp_path / "d")]) == 1
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "d").exists()
