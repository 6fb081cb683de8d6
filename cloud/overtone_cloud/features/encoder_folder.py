"""Reads a text encoder from a local Hugging Face folder: `config.json`, `model.safetensors`, `tokenizer.json`."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.encoder import Encoder, EncoderShape, Tokens
from overtone_models.digests import digest_mapping
from overtone_models.front_end import F32

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
KINDS = ("bert", "roberta", "xlm-roberta", "camembert")
PREFIXES = ("", "bert.", "roberta.")
OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
FLOATS = ("F64", "F32", "F16")
MAX_JSON_BYTES = 64 * 1024 * 1024
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
    config = _json(path)
    expected = {"hidden_act": ("gelu",), "position_embedding_type": ("absolute", None), "model_type": KINDS}
    for key, allowed in expected.items():
        if (value := config.get(key)) not in allowed:
            known = ", ".join(str(name) for name in allowed if name)
            raise ConfigError(f"{path}: {key} is {value!r}, this software computes {known}")
    shape = EncoderShape(
        width=_whole(path, config, "hidden_size", LIMITS["width"]),
        layers=_whole(path, config, "num_hidden_layers", LIMITS["layers"]),
        heads=_whole(path, config, "num_attention_heads", LIMITS["heads"]),
        inner=_whole(path, config, "intermediate_size", LIMITS["inner"]),
        positions=_whole(path, config, "max_position_embeddings", LIMITS["positions"]),
        vocabulary=_whole(path, config, "vocab_size", LIMITS["vocabulary"]),
        kinds=_whole(path, config, "type_vocab_size", 16, default=2),
        epsilon=_epsilon(path, config),
        first_position=0 if config["model_type"] == "bert" else 1 + _whole(path, config, "pad_token_id", 16, default=1),
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


def _json(path: Path) -> dict[str, Any]:
    try:
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise ConfigError(f"{path}: {size} bytes, limit is {MAX_JSON_BYTES}")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: not a JSON object")
    return value


def _whole(path: Path, config: Mapping[str, Any], key: str, most: int, *, default: int | None = None) -> int:
    value = config.get(key, default)
    lowest = 0 if key == "pad_token_id" else 1
    if type(value) is not int or not lowest <= value <= most:
        raise ConfigError(f"{path}: {key} is {value!r}, limits are {lowest} and {most}")
    return value


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
    text = json.dumps(_json(path))
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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            return {name: _tensor(path, file, names, name, size) for name, size in shape.tensors().items()}
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path}: weights cannot be read: {error}") from error


def _tensor(path: Path, file: Any, names: set[str], name: str, size: tuple[int, ...]) -> F32:
    old = name
    for new, former in OLD_NAMES.items():
        old = old.replace(new, former)
    stored = next((prefix + n for prefix in PREFIXES for n in (name, old) if prefix + n in names), None)
    if stored is None:
        raise ConfigError(f"{path}: weights without {name}")
    part = file.get_slice(stored)
    if tuple(part.get_shape()) != size or part.get_dtype() not in FLOATS:
        actual = f"{part.get_dtype()} of shape {tuple(part.get_shape())}"
        raise ConfigError(f"{path}: {stored} is {actual}, {CONFIG} asks for shape {size} in {', '.join(FLOATS)}")
    tensor: F32 = file.get_tensor(stored).astype(np.float32, copy=False)
    return tensor


def _digest(folder: Path) -> str:
    """Return the SHA-256 over the three files' contents."""
    digests = {}
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_mapping(digests)
