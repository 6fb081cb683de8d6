"""A figure: one value a seed, mean and deviation, and the target that it is held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Target:
    """A limit that the mean keeps, or with `every` each seed's value."""

    sign: str
    limit: float
    every: bool = False

    def met(self, values: Sequence[float]) -> bool:
        """Return whether the values keep it."""
        judged = values if self.every else [float(np.mean(values))]
        return all(v >= self.limit if self.sign == ">=" else v <= self.limit for v in judged)

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:,.10g}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a corpus: `values` has one entry a seed, in `unit`."""

    corpus: str
    name: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.values))

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds; None for one seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.target is None else self.target.met(self.values)

    def to_json(self) -> dict[str, Any]:
        """Return values, mean, deviation, target and whether it is met."""
        return {
            "corpus": self.corpus,
            "figure": self.name,
            "unit": self.unit,
            "values": [round(v, 3) for v in self.values],
            "mean": round(self.mean, 3),
            "sd": None if self.sd is None else round(self.sd, 3),
            "target": None if self.target is None else str(self.target),
            "met": self.met,
        }
