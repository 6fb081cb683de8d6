"""The curves of one training, without TensorFlow: what reports and pictures read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, kw_only=True)
class History:
    """Curves of one training, one value an epoch; shares are 0..1, losses nats, the val curves may be empty."""

    name: str = ""
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    epochs: int = 0
    best_epoch: int | None = None
    """Counted from 1: the epoch whose weights were restored, None where the last ones stay."""

    def to_json(self) -> dict[str, Any]:
        """Return the curves as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "History":
        """Return the history that `to_json` wrote."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})
