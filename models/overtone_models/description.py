"""Description of a model: labels, front end, network, calibration and origin, without its weights.

A run folder's `model.json` and a bundle's `bundle.json` both hold these fields; each adds fields of its own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from overtone_models.calibration import Calibration
from overtone_models.front_end import FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.layout import WeightLayout
from overtone_models.network import NetworkSpec, network_from_json
from overtone_models.reference import ReferenceSpec


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """All of a model but its weights: labels, front end, network, calibration and origin."""

    network: NetworkSpec
    labels: tuple[str, ...]
    front_end: FrontEndSpec = field(default_factory=FrontEndSpec)
    gate: GateSpec = field(default_factory=GateSpec)
    calibration: Calibration = field(default_factory=Calibration)
    lineage: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    label_smoothing: float = 0.0
    """Share of each training target that is spread over all labels; devices train with the same."""
    reference: ReferenceSpec | None = None
    """How embeddings are taken relative to the speech that the device heard; None where the head takes them as is."""

    @property
    def layout(self) -> WeightLayout:
        """Layout of the flat weights."""
        return self.network.layout

    def description_fields(self) -> dict[str, Any]:
        """Return the fields of the description by name, as arguments for another class that has them."""
        return {f.name: getattr(self, f.name) for f in fields(ModelDescription)}

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `description_from_json` reads."""
        reference = {} if self.reference is None else {"reference": self.reference.to_json()}
        return {
            **reference,
            "network": self.network.to_json(),
            "labels": list(self.labels),
            "front_end": asdict(self.front_end),
            "gate": asdict(self.gate),
            "calibration": asdict(self.calibration),
            "lineage": dict(self.lineage),
            "licence": self.licence,
            "label_smoothing": self.label_smoothing,
        }


def description_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a description by name; a missing or malformed field raises as its own parser does."""
    reference = data.get("reference")
    return {
        "reference": None if reference is None else ReferenceSpec.from_json(reference),
        "network": network_from_json(data["network"]),
        "labels": tuple(map(str, data["labels"])),
        "front_end": FrontEndSpec(**data["front_end"]),
        "gate": GateSpec(**data["gate"]),
        "calibration": Calibration(**data["calibration"]),
        "lineage": {str(k): str(v) for k, v in dict(data["lineage"]).items()},
        "licence": str(data["licence"]),
        "label_smoothing": float(data["label_smoothing"]),
    }
