"""Description of a network over a whole window of speech, without TensorFlow: inputs, head, timing.

Its body (all layers up to the embedding) is one file for the runtime and does not learn on devices;
only the head does, so the layout of its weights holds the head alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NoReturn

import numpy as np

from overtone_models.digests import digest_mapping
from overtone_models.errors import FrontEndError, ModelError
from overtone_models.features.registry import spec_from_json
from overtone_models.front_end import F32, FrontEndSpec
from overtone_models.layout import Tensor, WeightLayout

PRECISIONS = ("int8", "float32", "int8 weights")
MAX_INPUTS = 8
MAX_INPUT_VALUES = 4_000_000
MAX_WINDOW_S = 60.0
MAX_LABEL_CHARACTERS = 32
TEXT_FEATURE = "text"
"""Name of a text input in a stored model: `text` or `text-...`."""

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowSpec:
    """A network over the last `window_s` of speech; it decides every `decision_every_s`.

    `features` holds one specification in JSON per input, `input_shapes` the inputs without the batch, `scale_shapes`
    the shapes of each input's mean and deviation (broadcast against the input). `precision` is the body's arithmetic:
    int8, or float32 where int8 changed too many answers, or float32 with int8 weights where that would be too large.
    The embedding is the body's output times `embedding_scale`, which brings every network's to a length that one
    learning rate suits.
    """

    family: ClassVar[str] = "window"
    bundle_format: ClassVar[int] = 2
    listening_file: ClassVar[str] = "body.tflite"
    takes_mfcc: ClassVar[bool] = False
    scopes: ClassVar[tuple[str, ...]] = ("head",)

    name: str
    features: tuple[Mapping[str, Any], ...]
    input_shapes: tuple[Shape, ...]
    scale_shapes: tuple[Shape, ...]
    window_s: float
    decision_every_s: float = 0.5
    embedding_size: int
    n_classes: int
    precision: str = "int8"
    embedding_scale: float = 1.0
    padding: tuple[tuple[float, ...], ...] = ()
    """One per input, or none: the values of a step after a feature's end; empty for zeros."""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 64 or not self.name.isprintable():
            raise ModelError(f"a window network's name is {self.name!r}, limit is 1..64 printable characters")
        if not 1 <= len(self.input_shapes) <= MAX_INPUTS:
            raise ModelError(f"{self.name} has {len(self.input_shapes)} inputs, limit is 1..{MAX_INPUTS}")
        if not len(self.features) == len(self.input_shapes) == len(self.scale_shapes):
            raise ModelError(
                f"{self.name} has {len(self.input_shapes)} inputs, but {len(self.features)} features "
                f"and {len(self.scale_shapes)} standardisations"
            )
        self._check_shapes()
        self._check_numbers()

    def _check_shapes(self) -> None:
        for shape, scale in zip(self.input_shapes, self.scale_shapes, strict=True):
            if not shape or not all(type(n) is int and n >= 1 for n in shape) or math.prod(shape) > MAX_INPUT_VALUES:
                raise ModelError(
                    f"{self.name} has an input of shape {shape}, limit is 1..{MAX_INPUT_VALUES} values in all"
                )
            fits = len(scale) <= len(shape) and all(
                type(n) is int and n in (1, size) for n, size in zip(scale[::-1], shape[::-1], strict=False)
            )
            if not fits:
                raise ModelError(f"{self.name}: a mean of shape {scale} does not fit an input of shape {shape}")
        widths = [(len(row), shape[-1]) for row, shape in zip(self.padding, self.input_shapes, strict=False)]
        fits = len(self.padding) in (0, len(self.input_shapes)) and all(n in (0, width) for n, width in widths)
        if not fits or not np.isfinite(np.array([n for row in self.padding for n in row], np.float64)).all():
            raise ModelError(f"{self.name}: padding of {list(map(len, self.padding))} values does not fit the inputs")

    def _check_numbers(self) -> None:
        for name in ("embedding_size", "n_classes"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 65_536:
                raise ModelError(f"{name} is {value!r}, limit is the whole numbers 1..65536")
        for name, limit in (("window_s", MAX_WINDOW_S), ("decision_every_s", self.window_s)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= limit:
                raise ModelError(f"{name} is {value!r}, limit is 0.1..{limit:g} s")
            object.__setattr__(self, name, float(value))
        if isinstance(self.embedding_scale, bool) or not 1e-9 <= float(self.embedding_scale) <= 1e9:
            raise ModelError(f"embedding_scale is {self.embedding_scale!r}, limit is 1e-9..1e9")
        if self.precision not in PRECISIONS:
            raise ModelError(f"precision is {self.precision!r}; there are {', '.join(PRECISIONS)}")

    @property
    def layout(self) -> WeightLayout:
        """Weights that rounds exchange and devices train: the head's."""
        head = (self.embedding_size, self.n_classes)
        return WeightLayout((Tensor("head/w", head, head=True), Tensor("head/b", (self.n_classes,), head=True)))

    @property
    def title(self) -> str:
        """Display name: the network's own."""
        return self.name

    @property
    def remark(self) -> str:
        """Remark on how it listens, shown after its name."""
        return f"cannot stream: it looks at the last {self.window_s:g} s of speech every {self.decision_every_s:g} s"

    def examples_digest(self, front_end: FrontEndSpec) -> str:
        """Return `features_digest`: the front end is not used."""
        return self.features_digest

    def check_front_end(self, front_end: FrontEndSpec) -> None:
        """Accept any front end: none is used."""

    def accepts_labels(self, labels: tuple[str, ...]) -> bool:
        """Return whether the labels are different short names, of valence for example."""
        short = all(label.isprintable() and 1 <= len(label) <= MAX_LABEL_CHARACTERS for label in labels)
        return short and len(set(labels)) == len(labels)

    def as_streaming(self) -> NoReturn:
        """Raise ModelError."""
        raise ModelError(f"the network {self.name} looks at whole windows, this needs one that streams")

    def as_window(self) -> "WindowSpec":
        """Return this network."""
        return self

    @cached_property
    def features_digest(self) -> str:
        """SHA-256 over features, shapes and window of all inputs: stored examples share one."""
        return digest_mapping(
            {
                "features": [dict(feature) for feature in self.features],
                "shapes": [list(shape) for shape in self.input_shapes],
                "window_s": self.window_s,
                "padding": [list(row) for row in self.padding],
            }
        )

    @property
    def values(self) -> int:
        """Numbers in all inputs together."""
        return sum(math.prod(shape) for shape in self.input_shapes)

    @property
    def scale_values(self) -> int:
        """Numbers in the means of all inputs together."""
        return sum(math.prod(shape) for shape in self.scale_shapes)

    @property
    def missing(self) -> str:
        """Why a device cannot compute the inputs (text, say) in one line; empty where it can."""
        for number, feature in enumerate(self.features):
            if str(feature.get("name")).partition("-")[0] == TEXT_FEATURE:
                return f"the network {self.name} needs text (input {number}), which a device does not have"
            try:
                spec_from_json(dict(feature))
            except FrontEndError as error:
                return f"the network {self.name} needs an input that a device cannot compute: {error}"
        return ""

    def standardise(self, inputs: Sequence[F32], mean: F32, scale: F32) -> list[F32]:
        """Return inputs `(..., *shape)` less their mean times `scale`, both flat over all inputs' scale shapes."""
        start, result = 0, []
        for value, shape in zip(inputs, self.scale_shapes, strict=True):
            part = slice(start, start + math.prod(shape))
            result.append(((value - mean[part].reshape(shape)) * scale[part].reshape(shape)).astype(np.float32))
            start = part.stop
        return result

    def flatten(self, inputs: Sequence[F32]) -> F32:
        """Return the `(1, values)` row that holds the inputs of one window."""
        return np.concatenate([np.asarray(value, np.float32).reshape(-1) for value in inputs])[None]

    def unflatten(self, row: F32) -> list[F32]:
        """Return the inputs of the window in a `(1, values)` row; raise ModelError for another size."""
        if row.shape != (1, self.values):
            raise ModelError(f"a window of {self.name} has shape (1, {self.values}), got {row.shape}")
        ends = np.cumsum([math.prod(shape) for shape in self.input_shapes])[:-1]
        return [part.reshape(s) for part, s in zip(np.split(row[0], ends), self.input_shapes, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        return {
            "family": self.family,
            "name": self.name,
            "features": [dict(feature) for feature in self.features],
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "scale_shapes": [list(shape) for shape in self.scale_shapes],
            "window_s": self.window_s,
            "decision_every_s": self.decision_every_s,
            "embedding_size": self.embedding_size,
            "n_classes": self.n_classes,
            "precision": self.precision,
            "embedding_scale": self.embedding_scale,
            "padding": [list(row) for row in self.padding],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "WindowSpec":
        """Return the specification that `to_json` wrote; raise ModelError for anything else."""
        rest = {key: value for key, value in data.items() if key != "family"}
        try:
            rest["features"] = tuple(dict(feature) for feature in rest["features"])
            for name in ("input_shapes", "scale_shapes", "padding"):
                rest[name] = tuple(tuple(row) for row in rest[name])
            return cls(**rest)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not a window network's specification: {error!r}") from error
