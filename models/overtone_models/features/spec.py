"""Interface and base class of the features of a window."""

import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, NoReturn, Protocol

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.digests import digest_mapping
from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32, check_samples

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 48_000
MAX_S = 60.0


class Feature(Protocol):
    """Interface of a feature: name, digest, sample rate, `compute`."""

    @property
    def name(self) -> str:
        """Name in the registry."""

    @property
    def sample_rate_hz(self) -> int:
        """The rate of the samples that `compute` takes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what `compute` returns; 0 stands for a length that depends on the recording."""

    @property
    def digest(self) -> str:
        """SHA-256 over name, version and parameters: equal digests mean equal numbers."""

    def compute(self, samples: F32) -> F32:
        """Return the feature of mono float32 samples; raise FrontEndError for samples that it cannot process."""

    def to_json(self) -> dict[str, Any]:
        """Return name and parameters, as `registry.spec_from_json` takes them."""


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """Base of the specifications: checks the parameters' types, writes them as JSON."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Incremented when the same parameters give other numbers, so that no cache serves the old ones."""

    sample_rate_hz: int = SAMPLE_RATE_HZ

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, self._typed_value(item.name, item.default))
        if not MIN_RATE_HZ <= self.sample_rate_hz <= MAX_RATE_HZ:
            self.refuse("sample_rate_hz", f"limits are {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz")

    def _typed_value(self, field: str, default: object) -> object:
        """Return the field's value as its default's type, so that equal specifications have equal digests."""
        value = getattr(self, field)
        if isinstance(default, bool):
            return value if isinstance(value, bool) else self.refuse(field, "it must be true or false")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.refuse(field, "it must be a finite number")
        if isinstance(default, int):
            return value if isinstance(value, int) else self.refuse(field, "it must be a whole number")
        return float(value)

    def refuse(self, field: str, why: str) -> NoReturn:
        """Raise FrontEndError that names this feature, the field and its value."""
        raise FrontEndError(f"feature {self.name}: {field} is {getattr(self, field)!r}, {why}")

    def to_json(self) -> dict[str, Any]:
        """Return name and parameters, as `registry.spec_from_json` takes them."""
        return {"name": self.name, **asdict(self)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over name, version and parameters: equal digests mean equal numbers."""
        return digest_mapping({**self.to_json(), "version": self.version})

    def validate(self, samples: F32) -> F32:
        """Return `samples`; raise FrontEndError unless they are one finite, non-empty float32 channel."""
        check_samples(samples)
        if not samples.size:
            raise FrontEndError(f"feature {self.name}: no samples")
        return samples


def fit_length(samples: F32, count: int) -> F32:
    """Return `count` samples: cut at the end, or followed by zeros."""
    return np.pad(samples[:count], (0, max(0, count - samples.size)))
