"""Reads the first layers of a Whisper encoder from a local folder.

Two kinds of folders hold one: Hugging Face's `openai/whisper-*` (`config.json`, `model.safetensors`) and CTranslate2's
(`model.bin`, as faster-whisper has it). Of either only the tensors that are needed are read.
"""

import hashlib
import itertools
from pathlib import Path

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.ctranslate2_file import MODEL, TensorFile
from overtone_cloud.features.hugging_face import (
    CONFIG,
    WEIGHTS,
    json_object,
    require_values,
    stored_tensors,
    whole_number,
)
from overtone_models.errors import ModelError
from overtone_models.front_end import F32
from overtone_models.whisper_weights import WhisperShape, WhisperWeights

PREFIX = "model.encoder."
KEYS = {
    "mels": ("num_mel_bins", 1_024),
    "width": ("d_model", 8_192),
    "heads": ("encoder_attention_heads", 256),
    "inner": ("encoder_ffn_dim", 65_536),
    "layers": ("encoder_layers", 96),
    "positions": ("max_source_positions", 65_536),
}
"""Dimensions in `config.json`, with their limits."""
OUTSIDE_LAYERS = {
    "conv1.weight": "encoder/conv1/weight",
    "conv1.bias": "encoder/conv1/bias",
    "conv2.weight": "encoder/conv2/weight",
    "conv2.bias": "encoder/conv2/bias",
    "embed_positions.weight": "encoder/position_encodings/encodings",
}
IN_LAYERS = {
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
}
"""CTranslate2's names to Hugging Face's."""


def read_whisper(folder: Path, *, layers: int) -> WhisperWeights:
    """Return the convolutions and the first `layers` layers of the encoder in `folder`.

    Raises ConfigError, in one line, for a folder without one and for a file that is broken or of another architecture.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; a Whisper encoder is a folder with {CONFIG} and {WEIGHTS}")
    if (folder / WEIGHTS).is_file():
        file, read = folder / WEIGHTS, _hugging_face
    elif (folder / MODEL).is_file():
        file, read = folder / MODEL, _ctranslate2
    else:
        raise ConfigError(f"{folder}: no weights in it: neither {WEIGHTS} nor {MODEL}")
    try:
        shape, tensors = read(file, layers)
        return WhisperWeights(shape=shape, layers=layers, tensors=tensors, digest=_digest(file))
    except ModelError as error:
        raise ConfigError(f"{file}: {error}") from error


def _hugging_face(file: Path, layers: int) -> tuple[WhisperShape, dict[str, F32]]:
    path = file.with_name(CONFIG)
    if not path.is_file():
        raise ConfigError(f"{file.parent}: weights without configuration: no {CONFIG} in it")
    config = json_object(path)
    expected = {"model_type": ("whisper",), "activation_function": ("gelu",), "scale_embedding": (False, None)}
    require_values(path, config, expected)
    shape = WhisperShape(**{name: whole_number(path, config, key, most) for name, (key, most) in KEYS.items()})
    with stored_tensors(file) as stored:
        sizes = shape.tensors(min(layers, shape.layers))
        if missing := next((name for name in sizes if PREFIX + name not in stored.names), None):
            raise ConfigError(f"{file}: weights without {PREFIX}{missing}")
        return shape, {name: stored.tensor(PREFIX + name, size) for name, size in sizes.items()}


def _ctranslate2(file: Path, layers: int) -> tuple[WhisperShape, dict[str, F32]]:
    try:
        with file.open("rb") as opened:
            stored = TensorFile(file, opened, "WhisperSpec")
            shape = _stored_shape(file, stored)
            tensors = {name: stored.tensor(own) for name, own in OUTSIDE_LAYERS.items()}
            for number in range(min(layers, shape.layers)):
                tensors |= _stored_layer(stored, shape, number)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from error
    return shape, tensors


def _stored_shape(file: Path, stored: TensorFile) -> WhisperShape:
    """Return the dimensions, which follow from the tensors: the file has no configuration of its own."""

    def dimensions(name: str, rank: int) -> tuple[int, ...]:
        place = stored.stored.get(name)
        if place is None or len(place.shape) != rank:
            raise ConfigError(f"{file}: {name} is missing, or has not {rank} dimensions")
        return place.shape

    layers = next(n for n in itertools.count() if f"encoder/layer_{n}/ffn/linear_0/weight" not in stored.stored)
    width, mels, _ = dimensions("encoder/conv1/weight", 3)
    return WhisperShape(
        mels=mels,
        width=width,
        heads=stored.whole_number("encoder/num_heads"),
        inner=dimensions("encoder/layer_0/ffn/linear_0/weight", 2)[0],
        layers=layers,
        positions=dimensions("encoder/position_encodings/encodings", 2)[0],
    )


def _stored_layer(stored: TensorFile, shape: WhisperShape, number: int) -> dict[str, F32]:
    """Return a layer's tensors by Hugging Face's names; queries, keys and values are one matrix in the file."""
    name, w = f"encoder/layer_{number}", shape.width
    tensors: dict[str, F32] = {}
    kernels = np.split(stored.tensor(f"{name}/self_attention/linear_0/weight", (3 * w, w)), 3)
    biases = np.split(stored.tensor(f"{name}/self_attention/linear_0/bias", (3 * w,)), 3)
    for part, kernel, bias in zip("qkv", kernels, biases, strict=True):
        tensors[f"layers.{number}.self_attn.{part}_proj.weight"] = kernel
        if part != "k":
            tensors[f"layers.{number}.self_attn.{part}_proj.bias"] = bias
    for own, theirs in IN_LAYERS.items():
        tensors[f"layers.{number}.{theirs}"] = stored.tensor(f"{name}/{own}")
    return tensors


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
