"""Small Whisper encoders with random weights, their files of both kinds, and a plain implementation in float64."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.special import erf

from overtone_models.front_end import F32
from overtone_models.whisper_weights import WhisperShape, WhisperWeights

F64 = NDArray[np.float64]

SMALL = WhisperShape(mels=80, width=16, heads=2, inner=24, layers=3, positions=20)
CONFIG: dict[str, Any] = {
    "model_type": "whisper",
    "activation_function": "gelu",
    "scale_embedding": False,
    "num_mel_bins": SMALL.mels,
    "d_model": SMALL.width,
    "encoder_attention_heads": SMALL.heads,
    "encoder_ffn_dim": SMALL.inner,
    "encoder_layers": SMALL.layers,
    "max_source_positions": SMALL.positions,
}
PACKED = {np.dtype(np.float32): 0, np.dtype(np.int8): 1, np.dtype(np.int16): 2, np.dtype(np.float16): 4}


def random_tensors(shape: WhisperShape = SMALL, seed: int = 0) -> dict[str, F32]:
    """Return all tensors of an encoder, with values that float16 holds exactly."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, F32] = {}
    for name, size in shape.tensors(shape.layers).items():
        spread = 0.3 if len(size) == 1 else 2.0 / np.sqrt(np.prod(size[1:]))
        values = (1.0 if "norm.weight" in name else 0.0) + spread * rng.normal(size=size)
        tensors[name] = values.astype(np.float16).astype(np.float32)
    return tensors


def random_weights(layers: int = SMALL.layers, seed: int = 0) -> WhisperWeights:
    """Return the first layers of a small encoder."""
    return WhisperWeights(shape=SMALL, layers=layers, tensors=random_tensors(seed=seed), digest="0" * 64)


def write_hugging_face(folder: Path, tensors: Mapping[str, F32], config: Mapping[str, Any] = CONFIG) -> Path:
    """Write `config.json` and `model.safetensors`, a decoder's tensor among them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(dict(config)))
    stored = {f"model.encoder.{name}": np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(
        {**stored, "model.decoder.embed_tokens.weight": np.ones((3, 2), np.float32)}, folder / "model.safetensors"
    )
    return folder


def ctranslate2_tensors(tensors: Mapping[str, F32], shape: WhisperShape = SMALL) -> dict[str, "np.ndarray[Any, Any]"]:
    """Return the tensors by CTranslate2's names, in its types."""
    named: dict[str, np.ndarray[Any, Any]] = {
        "decoder/activation": np.array([1], np.int8),
        "encoder/num_heads": np.array([shape.heads], np.int16),
        "encoder/position_encodings/encodings": tensors["embed_positions.weight"],
    }
    for name in ("conv1", "conv2"):
        named |= {f"encoder/{name}/{part}": tensors[f"{name}.{part}"] for part in ("weight", "bias")}
    for number in range(shape.layers):
        ours, theirs = f"layers.{number}", f"encoder/layer_{number}"
        attention = [f"{ours}.self_attn.{part}_proj" for part in "qkv"]
        no_bias = np.zeros(shape.width, np.float32)
        named[f"{theirs}/self_attention/linear_0/weight"] = np.concatenate([tensors[f"{a}.weight"] for a in attention])
        biases = [tensors.get(f"{a}.bias", no_bias) for a in attention]
        named[f"{theirs}/self_attention/linear_0/bias"] = np.concatenate(biases)
        for part in ("weight", "bias"):
            named[f"{theirs}/self_attention/linear_1/{part}"] = tensors[f"{ours}.self_attn.out_proj.{part}"]
            named[f"{theirs}/ffn/linear_0/{part}"] = tensors[f"{ours}.fc1.{part}"]
            named[f"{theirs}/ffn/linear_1/{part}"] = tensors[f"{ours}.fc2.{part}"]
            norm = {"weight": "gamma", "bias": "beta"}[part]
            named[f"{theirs}/self_attention/layer_norm/{norm}"] = tensors[f"{ours}.self_attn_layer_norm.{part}"]
            named[f"{theirs}/ffn/layer_norm/{norm}"] = tensors[f"{ours}.final_layer_norm.{part}"]
    floats = {name: t.astype(np.float16) for name, t in named.items() if t.dtype == np.float32}
    return named | floats


def packed(
    tensors: Mapping[str, "np.ndarray[Any, Any]"], *, version: int = 6, specification: str = "WhisperSpec"
) -> bytes:
    """Return the bytes of a CTranslate2 `model.bin`."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", version), text(specification), struct.pack("<II", 3, len(tensors))]
    for name, tensor in tensors.items():
        parts.append(text(name) + struct.pack(f"<B{tensor.ndim}I", tensor.ndim, *tensor.shape))
        parts.append(struct.pack("<BI", PACKED[tensor.dtype], tensor.nbytes) + tensor.tobytes())
    return b"".join([*parts, struct.pack("<I", 0)])


def write_ctranslate2(folder: Path, tensors: Mapping[str, F32]) -> Path:
    """Write `model.bin`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(packed(ctranslate2_tensors(tensors)))
    return folder


def plain_layers(weights: WhisperWeights, log_mel: F32) -> list[F64]:
    """Return the `(steps, width)` outputs of each layer for `(frames, mels)`, step by step as the paper has them."""
    t = {name: tensor.astype(np.float64) for name, tensor in weights.tensors.items()}
    x = _gelu(_convolved(log_mel.astype(np.float64), t["conv1.weight"], t["conv1.bias"], 1))
    x = _gelu(_convolved(x, t["conv2.weight"], t["conv2.bias"], 2))
    x = x + t["embed_positions.weight"][: len(x)]
    outputs = []
    for number in range(weights.layers):
        layer = f"layers.{number}"
        x = x + _attention(_norm(x, t, f"{layer}.self_attn_layer_norm"), t, f"{layer}.self_attn", weights.shape.heads)
        inner = _gelu(_dense(_norm(x, t, f"{layer}.final_layer_norm"), t, f"{layer}.fc1"))
        x = x + _dense(inner, t, f"{layer}.fc2")
        outputs.append(x)
    return outputs


def _convolved(x: F64, kernel: F64, bias: F64, stride: int) -> F64:
    padded = np.pad(x, ((1, 1), (0, 0)))
    steps = [np.einsum("ti,oit->o", padded[at : at + 3], kernel) for at in range(0, len(x), stride)]
    return np.stack(steps) + bias


def _gelu(x: F64) -> F64:
    result: F64 = 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))
    return result


def _norm(x: F64, t: Mapping[str, F64], name: str) -> F64:
    scaled = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]


def _dense(x: F64, t: Mapping[str, F64], name: str) -> F64:
    return x @ t[f"{name}.weight"].T + t.get(f"{name}.bias", np.zeros(1))


def _attention(x: F64, t: Mapping[str, F64], name: str, heads: int) -> F64:
    query, key, value = (_dense(x, t, f"{name}.{part}_proj") for part in "qkv")
    size = x.shape[1] // heads
    joined = np.empty_like(x)
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        scores = np.exp(query[:, own] @ key[:, own].T / np.sqrt(size))
        joined[:, own] = scores / scores.sum(1, keepdims=True) @ value[:, own]
    return _dense(joined, t, f"{name}.out_proj")
