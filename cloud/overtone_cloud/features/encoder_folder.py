"""Reads a text encoder from a local Hugging Face folder: `config.json`, `model.safetensors`, `tokenizer.json`."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.encoder import Encoder, EncoderShape, Tokens
from overtone_cloud.features.hugging_face import (
    CONFIG,
    WEIGHTS,
    StoredTensors,
    json_object,
    require_values,
    stored_tensors,
    whole_number,
)
from overtone_models.digests import digest_mapping
from overtone_models.front_end import F32

TOKENIZER = "tokenizer.json"
KINDS = ("bert", "roberta", "xlm-roberta", "camembert")
PREFIXES = ("", "bert.", "roberta.")
OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
LIMITS = {"width": 8_192, "layers": 96, "heads": 256, "inner": 65_536, "positions": 65_536, "vocabulary": 4_000_000}


def read_encoder(folder: Path, *, width: int | None = None) -> Encoder:
    """Return the encoder in `folder`; raise ConfigError for a missing or broken file, or another width."""
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        _check_file(folder, name)
    shape = read_shape(folder / CONFIG)
    if width is not None and shape.width != width:
        raise ConfigError(f"{folder}: this encoder's vectors are {shape.width} wide, {width} were asked for")
    tokens = _tokens(folder / TOKENIZER, shape)
    tensors = _tensors(folder / WEIGHTS, shape)
    return Encoder(shape=shape, digest=_digest(folder), tensors=tensors, tokens=tokens)


def read_shape(path: Path) -> EncoderShape:
    """Return the shape in a `config.json`; raise ConfigError for networks that `Encoder` does not compute."""
    config = json_object(path)
    expected = {"hidden_act": ("gelu",), "position_embedding_type": ("absolute", None), "model_type": KINDS}
    require_values(path, config, expected)
    shape = EncoderShape(
        width=whole_number(path, config, "hidden_size", LIMITS["width"]),
        layers=whole_number(path, config, "num_hidden_layers", LIMITS["layers"]),
        heads=whole_number(path, config, "num_attention_heads", LIMITS["heads"]),
        inner=whole_number(path, config, "intermediate_size", LIMITS["inner"]),
        positions=whole_number(path, config, "max_position_embeddings", LIMITS["positions"]),
        vocabulary=whole_number(path, config, "vocab_size", LIMITS["vocabulary"]),
        kinds=whole_number(path, config, "type_vocab_size", 16, default=2),
        epsilon=_epsilon(path, config),
        first_position=_first_position(path, config),
    )
    if shape.width % shape.heads:
        raise ConfigError(f"{path}: hidden_size is {shape.width}, it must be a multiple of its {shape.heads} heads")
    if shape.longest < 2:
        raise ConfigError(f"{path}: max_position_embeddings is {shape.positions}, too few for any text")
    return shape


def _check_file(folder: Path, name: str) -> None:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; an encoder is a folder with {CONFIG}, {WEIGHTS} and {TOKENIZER}")
    if (folder / name).is_file():
        return
    others = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".h5", ".onnx", ".msgpack"))
    hint = f"; {others[0]} is not read, save the model as safetensors" if name == WEIGHTS and others else ""
    what = {CONFIG: "configuration", WEIGHTS: "weights", TOKENIZER: "tokenizer"}[name]
    raise ConfigError(f"{folder}: encoder without {what}: no {name} in it{hint}")


def _first_position(path: Path, config: Mapping[str, Any]) -> int:
    if config["model_type"] == "bert":
        return 0
    return 1 + whole_number(path, config, "pad_token_id", 16, default=1, least=0)


def _epsilon(path: Path, config: Mapping[str, Any]) -> float:
    value = config.get("layer_norm_eps", 1e-12)
    if not isinstance(value, float) or not 0.0 < value < 1.0:
        raise ConfigError(f"{path}: layer_norm_eps is {value!r}, it must lie between 0 and 1")
    return value


def _tokens(path: Path, shape: EncoderShape) -> Tokens:
    """Return the tokenizer without padding, truncating at the longest text of this encoder."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError("the library tokenizers is not installed; pip install 'overtone[papers]'") from error
    text = json.dumps(json_object(path))
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # The library raises no narrower class.
        raise ConfigError(f"{path}: not a tokenizer: {str(error).splitlines()[0]}") from error
    if (known := tokenizer.get_vocab_size()) > shape.vocabulary:
        raise ConfigError(f"{path}: {known} tokens, the encoder has {shape.vocabulary}")
    tokenizer.no_padding()
    tokenizer.enable_truncation(shape.longest)

    def tokens(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text).ids
        return ids

    return tokens


def _tensors(path: Path, shape: EncoderShape) -> dict[str, F32]:
    """Return the tensors that the forward pass needs, as float32, whatever prefix they have in the file."""
    with stored_tensors(path) as stored:
        return {name: stored.tensor(_stored_name(path, stored, name), size) for name, size in shape.tensors().items()}


def _stored_name(path: Path, stored: StoredTensors, name: str) -> str:
    old = name
    for new, former in OLD_NAMES.items():
        old = old.replace(new, former)
    found = next((prefix + n for prefix in PREFIXES for n in (name, old) if prefix + n in stored.names), None)
    if found is None:
        raise ConfigError(f"{path}: weights without {name}")
    return found


def _digest(folder: Path) -> str:
    """Return the SHA-256 over the three files' contents."""
    digests = {}
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_mapping(digests)
