"""Weights of the first layers of a Whisper encoder, whatever file they come from: names, shapes, checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from overtone_models.errors import ModelError
from overtone_models.front_end import F32

TAPS = 3
"""Both convolutions see three steps."""


@dataclass(frozen=True, kw_only=True)
class WhisperShape:
    """Dimensions of an encoder; `layers` is how many of its layers there are."""

    mels: int = 80
    width: int = 384
    heads: int = 6
    inner: int = 1536
    layers: int = 4
    positions: int = 1500

    def __post_init__(self) -> None:
        for name in ("mels", "width", "heads", "inner", "layers", "positions"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 65_536:
                raise ModelError(f"a Whisper encoder's {name} is {value!r}, limit is the whole numbers 1..65536")
        if self.width % self.heads:
            raise ModelError(f"a Whisper encoder of width {self.width} cannot have {self.heads} heads")

    def tensors(self, layers: int) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every tensor that the convolutions and the first `layers` layers take.

        Names are those of `openai/whisper-*` on Hugging Face without `model.encoder.`; matrices are
        `(outputs, inputs)`, convolutions `(outputs, inputs, taps)`.
        """
        w = self.width
        shapes: dict[str, tuple[int, ...]] = {
            "conv1.weight": (w, self.mels, TAPS),
            "conv1.bias": (w,),
            "conv2.weight": (w, w, TAPS),
            "conv2.bias": (w,),
            "embed_positions.weight": (self.positions, w),
        }
        for number in range(layers):
            layer, attention = f"layers.{number}", f"layers.{number}.self_attn"
            shapes |= _norm(f"{layer}.self_attn_layer_norm", w)
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes[f"{attention}.{part}.weight"] = (w, w)
                if part != "k_proj":  # Keys have no bias: it would not change the softmax.
                    shapes[f"{attention}.{part}.bias"] = (w,)
            shapes |= _norm(f"{layer}.final_layer_norm", w)
            shapes |= {f"{layer}.fc1.weight": (self.inner, w), f"{layer}.fc1.bias": (self.inner,)}
            shapes |= {f"{layer}.fc2.weight": (w, self.inner), f"{layer}.fc2.bias": (w,)}
        return shapes


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


@dataclass(frozen=True, kw_only=True, eq=False)
class WhisperWeights:
    """Convolutions, positions and the first `layers` layers of an encoder, as float32.

    `digest` is the SHA-256 of the file that they come from.
    """

    shape: WhisperShape
    layers: int
    tensors: Mapping[str, F32] = field(repr=False)
    digest: str

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= self.shape.layers:
            raise ModelError(f"{self.layers} layers of a Whisper encoder were asked for, it has {self.shape.layers}")
        for name, shape in self.shape.tensors(self.layers).items():
            if name not in self.tensors:
                raise ModelError(f"the Whisper encoder lacks {name}")
            if (actual := self.tensors[name].shape) != shape:
                raise ModelError(f"the Whisper encoder's {name} has shape {actual}, its dimensions ask for {shape}")
            if not np.isfinite(self.tensors[name]).all():
                raise ModelError(f"the Whisper encoder's {name} holds a value that is not finite")

    def __getitem__(self, name: str) -> F32:
        """Return a tensor by its name."""
        return self.tensors[name]
