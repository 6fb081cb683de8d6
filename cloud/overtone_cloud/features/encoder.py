"""Text encoder of the BERT family: the forward pass in numpy (ADR 0019). `encoder_folder` reads its weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from overtone_models.front_end import F32

LAST_LAYERS = 4
EMBEDDINGS = ("word", "position", "token_type")


class Tokens(Protocol):
    """A tokenizer: a text to the ids of its tokens."""

    def __call__(self, text: str) -> list[int]:
        """Return the ids of the tokens, with those that mark beginning and end."""
        ...


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """The dimensions of the network, from `config.json`."""

    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    vocabulary: int
    kinds: int
    epsilon: float
    first_position: int = 0
    """RoBERTa counts its positions from the padding's number on."""

    @property
    def longest(self) -> int:
        """The most tokens that the encoder takes."""
        return self.positions - self.first_position

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every tensor that the forward pass needs."""
        w, inner = self.width, self.inner
        shapes: dict[str, tuple[int, ...]] = {
            f"embeddings.{name}_embeddings.weight": (count, w)
            for name, count in zip(EMBEDDINGS, (self.vocabulary, self.positions, self.kinds), strict=True)
        }
        shapes |= _norm("embeddings.LayerNorm", w)
        for i in range(self.layers):
            layer = f"encoder.layer.{i}"
            for name in ("attention.self.query", "attention.self.key", "attention.self.value"):
                shapes |= _dense(f"{layer}.{name}", w, w)
            shapes |= _dense(f"{layer}.attention.output.dense", w, w) | _norm(f"{layer}.attention.output.LayerNorm", w)
            shapes |= _dense(f"{layer}.intermediate.dense", inner, w) | _dense(f"{layer}.output.dense", w, inner)
            shapes |= _norm(f"{layer}.output.LayerNorm", w)
        return shapes


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _dense(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """`encode(text) -> (tokens, width)`: the sum of the last four layers' outputs for every token.

    `digest` names the files that it comes from.
    """

    shape: EncoderShape
    digest: str
    tensors: Mapping[str, F32] = field(repr=False)
    tokens: Tokens = field(repr=False)

    @property
    def width(self) -> int:
        """Number of values per token."""
        return self.shape.width

    def encode(self, text: str) -> F32:
        """Return `(tokens, width)`, the marks of beginning and end included; all layers of a shallower encoder."""
        states = self.hidden(self.tokens(text))[1:]
        total: F32 = np.sum(states[-LAST_LAYERS:], axis=0, dtype=np.float32)
        return total

    def hidden(self, ids: list[int]) -> list[F32]:
        """Return the `(tokens, width)` outputs: of the embeddings, then of each layer."""
        words, places, kinds = (self.tensors[f"embeddings.{name}_embeddings.weight"] for name in EMBEDDINGS)
        first = self.shape.first_position
        x = words[np.array(ids, np.int64)] + places[first : first + len(ids)] + kinds[0]
        states = [self._norm(x, "embeddings.LayerNorm")]
        for i in range(self.shape.layers):
            states.append(self._layer(states[-1], f"encoder.layer.{i}"))
        return states

    def _layer(self, x: F32, layer: str) -> F32:
        attended = self._dense(self._attention(x, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
        x = self._norm(x + attended, f"{layer}.attention.output.LayerNorm")
        inner = gelu(self._dense(x, f"{layer}.intermediate.dense"))
        return self._norm(x + self._dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")

    def _attention(self, x: F32, name: str) -> F32:
        """Return `(tokens, width)`: each head's values, weighted by the softmax of scaled products."""
        query, key, value = (self._heads(self._dense(x, f"{name}.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(query.shape[2]))
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        joined: F32 = (weights @ value).transpose(1, 0, 2).reshape(x.shape)
        return joined

    def _heads(self, x: F32) -> F32:
        return x.reshape(len(x), self.shape.heads, -1).transpose(1, 0, 2)

    def _dense(self, x: F32, name: str) -> F32:
        result: F32 = x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return result

    def _norm(self, x: F32, name: str) -> F32:
        centred = x - x.mean(axis=1, keepdims=True)
        variance = np.square(centred).mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(self.shape.epsilon))
        result: F32 = scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]
        return result


def gelu(x: F32) -> F32:
    """Return x times the normal distribution's cumulative probability, by the error function (no tanh)."""
    from scipy.special import erf

    result: F32 = x * np.float32(0.5) * (np.float32(1.0) + erf(x * np.float32(math.sqrt(0.5))))
    return result
