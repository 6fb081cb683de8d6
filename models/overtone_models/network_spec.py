"""What an edge network is, without TensorFlow: its family, sizes, layout and state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from overtone_models.errors import ModelError
from overtone_models.layout import Tensor, WeightLayout


@dataclass(frozen=True, kw_only=True)
class EdgeTcnSpec:
    """A causal temporal network: strided stem, residual dilated blocks, pooled head.

    `separable` blocks are a depthwise convolution of `kernel` taps and a pointwise one; dense
    blocks are one full convolution. The stem takes one step every `stem_stride` frames, so one hop
    of `hop_frames` MFCC frames gives `hop_frames / stem_stride` steps. The embedding is the mean and
    the standard deviation over time of the hops' mean activations: `(2 * channels,)`.
    """

    family: str = "edge-tcn"
    n_features: int = 40
    n_classes: int = 8
    channels: int = 96
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    separable: bool = True
    stem_kernel: int = 4
    stem_stride: int = 2
    hop_frames: int = 10

    def __post_init__(self) -> None:
        if self.family != "edge-tcn":
            raise ModelError(f"unknown network family {self.family!r}; there is edge-tcn")
        self._check_sizes()
        if self.hop_frames % self.stem_stride:
            raise ModelError(
                f"hop_frames is {self.hop_frames}, it must be a multiple of stem_stride {self.stem_stride}"
            )
        if self.stem_kernel < self.stem_stride:
            raise ModelError(f"stem_kernel is {self.stem_kernel}, it must be at least its stride, {self.stem_stride}")
        if not self.dilations or not all(type(d) is int and 1 <= d <= 4096 for d in self.dilations):
            raise ModelError(f"dilations are {list(self.dilations)}, they must be whole numbers in 1..4096")

    def _check_sizes(self) -> None:
        for name in ("n_features", "n_classes", "channels", "kernel", "stem_kernel", "stem_stride", "hop_frames"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 4096:
                raise ModelError(f"{name} is {value!r}, limit is the whole numbers 1..4096")
        if type(self.separable) is not bool:
            raise ModelError(f"separable is {self.separable!r}, it must be true or false")

    @property
    def embedding_size(self) -> int:
        """Length of the pooled embedding."""
        return 2 * self.channels

    @property
    def hop_steps(self) -> int:
        """Steps of the blocks in one hop."""
        return self.hop_frames // self.stem_stride

    @property
    def state_shapes(self) -> tuple[tuple[int, int], ...]:
        """`(steps, channels)` of past input that the stem and each block need."""
        stem = (self.stem_kernel - self.stem_stride, self.n_features)
        return (stem, *(((self.kernel - 1) * d, self.channels) for d in self.dilations))

    @property
    def layout(self) -> WeightLayout:
        """Weights of the network as it runs on a device (normalisation folded away)."""
        c = self.channels
        tensors = [Tensor("stem/w", (self.stem_kernel, self.n_features, c)), Tensor("stem/b", (c,))]
        for index, _ in enumerate(self.dilations):
            if self.separable:
                tensors.append(Tensor(f"block{index}/depthwise", (self.kernel, c)))
                tensors.append(Tensor(f"block{index}/w", (c, c)))
            else:
                tensors.append(Tensor(f"block{index}/w", (self.kernel, c, c)))
            tensors.append(Tensor(f"block{index}/b", (c,)))
        tensors.append(Tensor("head/w", (self.embedding_size, self.n_classes), head=True))
        tensors.append(Tensor("head/b", (self.n_classes,), head=True))
        return WeightLayout(tuple(tensors))

    def multiply_adds(self, frames: int) -> int:
        """Return the multiply-adds for `frames` MFCC frames, head included."""
        taps = self.kernel * self.channels if self.separable else self.kernel * self.channels**2
        block = taps + (self.channels**2 if self.separable else 0)
        step = self.stem_kernel * self.n_features * self.channels + len(self.dilations) * block
        return frames // self.stem_stride * step + self.embedding_size * self.n_classes

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return {**asdict(self), "dilations": list(self.dilations)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EdgeTcnSpec":
        """Return the specification that `to_json` wrote; raise ModelError for anything else."""
        known = {field.name for field in fields(cls)}
        if unknown := set(data) - known:
            raise ModelError(f"unknown network field {sorted(unknown)[0]!r}; known are {', '.join(sorted(known))}")
        try:
            return cls(**{**data, "dilations": tuple(data.get("dilations", cls.dilations))})
        except TypeError as error:
            raise ModelError(f"not a network specification: {error}") from error


SIZES: dict[str, dict[str, Any]] = {
    "S": {"channels": 64, "dilations": (1, 2, 4, 8)},
    "M": {"channels": 112, "dilations": (1, 2, 4, 8)},
    "L": {"channels": 176, "dilations": (1, 2, 4, 8, 16)},
}


def edge_tcn(size: str, *, n_features: int, n_classes: int) -> EdgeTcnSpec:
    """Return the specification of size S, M or L."""
    if size not in SIZES:
        raise ModelError(f"unknown size {size!r}; sizes are {', '.join(SIZES)}")
    return EdgeTcnSpec(n_features=n_features, n_classes=n_classes, **SIZES[size])
