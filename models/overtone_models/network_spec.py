"""Description of a streaming network without TensorFlow: family, sizes, layout, state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NoReturn

from overtone_models.errors import ModelError
from overtone_models.front_end import EDGE_FRONT_END, FrontEndSpec
from overtone_models.labels import EMOTIONS
from overtone_models.layout import SCOPES, Tensor, WeightLayout

HOPS_3_S = 30
DILATIONS = ("dilations", "late_dilations")


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One causal convolution over time with bias and relu.

    A `residual` one is added to its input. A `separable` one is a depthwise convolution of `kernel` taps followed
    directly by a pointwise one.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    residual: bool = False
    separable: bool = False

    @property
    def past(self) -> int:
        """Number of past input steps that the layer needs."""
        return (self.kernel - 1) * self.dilation + 1 - self.stride

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The layer's weights."""
        bias = Tensor(f"{self.name}/b", (self.outputs,))
        if self.separable:
            depthwise = Tensor(f"{self.name}/depthwise", (self.kernel, self.inputs))
            return depthwise, Tensor(f"{self.name}/w", (self.inputs, self.outputs)), bias
        return Tensor(f"{self.name}/w", (self.kernel, self.inputs, self.outputs)), bias


@dataclass(frozen=True, kw_only=True)
class EdgeTcnSpec:
    """A causal temporal network: strided stem, residual dilated blocks, pooled head.

    The stem takes one step every `stem_stride` frames, to `channels`; a block of `kernel` taps follows for each of
    `dilations`. Where there are `late_dilations`, a convolution then joins each `late_stride` steps to one of
    `late_channels`, for blocks with a longer reach at the same cost. `separable` blocks are a depthwise convolution
    and a pointwise one; dense blocks are one full convolution. The steps of one hop of `hop_frames` MFCC frames are
    averaged. The embedding is the mean and the standard deviation over time of these: `(2 * width,)`.
    """

    bundle_format: ClassVar[int] = 1
    listening_file: ClassVar[str] = "streaming.tflite"
    takes_mfcc: ClassVar[bool] = True
    scopes: ClassVar[tuple[str, ...]] = SCOPES
    remark: ClassVar[str] = ""

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
    late_channels: int = 144
    late_stride: int = 2
    late_dilations: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.family != "edge-tcn":
            raise ModelError(f"unknown network family {self.family!r}; there is edge-tcn")
        self._check_sizes()
        for name, few in (("dilations", 1), ("late_dilations", 0)):
            value = getattr(self, name)
            if len(value) < few or not all(type(d) is int and 1 <= d <= 4096 for d in value):
                raise ModelError(f"{name} are {list(value)}, they must be whole numbers in 1..4096")
        if self.hop_frames % self.stride:
            text = "stem_stride" if not self.late_dilations else "stem_stride times late_stride,"
            raise ModelError(f"hop_frames is {self.hop_frames}, it must be a multiple of {text} {self.stride}")
        if self.stem_kernel < self.stem_stride:
            raise ModelError(f"stem_kernel is {self.stem_kernel}, it must be at least its stride, {self.stem_stride}")

    def _check_sizes(self) -> None:
        for name in (
            *("n_features", "n_classes", "channels", "kernel", "stem_kernel", "stem_stride", "hop_frames"),
            *("late_channels", "late_stride"),
        ):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 4096:
                raise ModelError(f"{name} is {value!r}, limit is the whole numbers 1..4096")
        if type(self.separable) is not bool:
            raise ModelError(f"separable is {self.separable!r}, it must be true or false")

    @property
    def title(self) -> str:
        """Display name: the family's."""
        return self.family

    @property
    def scale_values(self) -> int:
        """Number of means that standardise the input: one per feature."""
        return self.n_features

    def examples_digest(self, front_end: FrontEndSpec) -> str:
        """Return the front end's digest."""
        return front_end.digest

    def check_front_end(self, front_end: FrontEndSpec) -> None:
        """Raise ModelError where the front end gives another number of features."""
        if self.n_features != front_end.n_mfcc:
            raise ModelError(f"the network takes {self.n_features} features, the front end gives {front_end.n_mfcc}")

    def accepts_labels(self, labels: tuple[str, ...]) -> bool:
        """Return whether all labels are emotions of the table."""
        return set(labels) <= set(EMOTIONS)

    def as_streaming(self) -> "EdgeTcnSpec":
        """Return this network."""
        return self

    def as_window(self) -> NoReturn:
        """Raise ModelError."""
        raise ModelError(f"the network {self.title} streams, this needs one that looks at whole windows")

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The layers before pooling, in their order."""
        early = Convolution(
            name="stem",
            inputs=self.n_features,
            outputs=self.channels,
            kernel=self.stem_kernel,
            stride=self.stem_stride,
        )
        late = Convolution(
            name="late",
            inputs=self.channels,
            outputs=self.late_channels,
            kernel=self.late_stride,
            stride=self.late_stride,
        )
        blocks = [self._block(n, self.channels, d) for n, d in enumerate(self.dilations)]
        later = [self._block(n, self.late_channels, d) for n, d in enumerate(self.late_dilations, len(blocks))]
        return (early, *blocks, late, *later) if later else (early, *blocks)

    def _block(self, number: int, channels: int, dilation: int) -> Convolution:
        return Convolution(
            name=f"block{number}",
            inputs=channels,
            outputs=channels,
            kernel=self.kernel,
            dilation=dilation,
            residual=True,
            separable=self.separable,
        )

    @property
    def width(self) -> int:
        """Channels of the pooled steps."""
        return self.late_channels if self.late_dilations else self.channels

    @property
    def embedding_size(self) -> int:
        """Length of the pooled embedding."""
        return 2 * self.width

    @property
    def stride(self) -> int:
        """Frames that one of the last steps stands for."""
        return self.stem_stride * (self.late_stride if self.late_dilations else 1)

    @property
    def hop_steps(self) -> int:
        """Number of last steps per hop."""
        return self.hop_frames // self.stride

    @property
    def state_shapes(self) -> tuple[tuple[int, int], ...]:
        """`(steps, channels)` of past input that each convolution needs; those that need none are left out."""
        return tuple((c.past, c.inputs) for c in self.convolutions if c.past)

    @property
    def layout(self) -> WeightLayout:
        """Weights of the network as it runs on a device (normalisation folded away)."""
        tensors = [tensor for convolution in self.convolutions for tensor in convolution.tensors]
        tensors.append(Tensor("head/w", (self.embedding_size, self.n_classes), head=True))
        tensors.append(Tensor("head/b", (self.n_classes,), head=True))
        return WeightLayout(tuple(tensors))

    @property
    def frames_3_s(self) -> int:
        """Frames of 3 s of speech: 30 hops of 100 ms."""
        return HOPS_3_S * self.hop_frames

    @property
    def multiply_adds_3_s(self) -> int:
        """Multiply-adds for 3 s of speech."""
        return self.multiply_adds(self.frames_3_s)

    def multiply_adds(self, frames: int) -> int:
        """Return the multiply-adds for `frames` MFCC frames, head included."""
        total, steps = self.embedding_size * self.n_classes, frames
        for c in self.convolutions:
            steps //= c.stride
            total += steps * sum(tensor.size for tensor in c.tensors if len(tensor.shape) > 1)
        return total

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in DILATIONS}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EdgeTcnSpec":
        """Return the specification that `to_json` wrote; raise ModelError for anything else."""
        known = {field.name for field in fields(cls)}
        if unknown := set(data) - known:
            raise ModelError(f"unknown network field {sorted(unknown)[0]!r}; known are {', '.join(sorted(known))}")
        try:
            return cls(**{**data, **{name: tuple(data.get(name, getattr(cls, name))) for name in DILATIONS}})
        except TypeError as error:
            raise ModelError(f"not a network specification: {error}") from error


SIZES: dict[str, dict[str, Any]] = {
    "S": {"channels": 48, "late_channels": 88},
    "M": {"channels": 80, "late_channels": 144},
    "L": {"channels": 128, "late_channels": 256},
}
"""For `front_end.EDGE_FRONT_END`: steps of 25 ms, then of 50 ms. M takes 9.3 million multiply-adds for 3 s."""


def edge_tcn(size: str, *, n_features: int, n_classes: int) -> EdgeTcnSpec:
    """Return the specification of size S, M or L."""
    if size not in SIZES:
        raise ModelError(f"unknown size {size!r}; sizes are {', '.join(SIZES)}")
    return EdgeTcnSpec(
        n_features=n_features,
        n_classes=n_classes,
        dilations=(1, 2),
        late_dilations=(1, 2, 4),
        hop_frames=EDGE_FRONT_END.block_frames,
        **SIZES[size],
    )
