"""A trained model on its way from training to conversion: weights and all that gives them meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from overtone_models.calibration import Calibration
from overtone_models.errors import LayoutError
from overtone_models.front_end import F32, FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.network_spec import EdgeTcnSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """An edge network's flat weights with its front end, standardisation, labels and calibration."""

    network: EdgeTcnSpec
    weights: F32
    labels: tuple[str, ...]
    standardise_mean: F32
    standardise_scale: F32
    front_end: FrontEndSpec = field(default_factory=FrontEndSpec)
    gate: GateSpec = field(default_factory=GateSpec)
    calibration: Calibration = field(default_factory=Calibration)
    lineage: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        self.network.layout.check(self.weights)
        if len(self.labels) != self.network.n_classes:
            raise LayoutError(f"{len(self.labels)} labels do not fit {self.network.n_classes} classes")

    def standardise(self, mfcc: F32) -> F32:
        """Return `(frames, n_mfcc)` with the training data's mean and deviation taken out."""
        result: F32 = (mfcc - self.standardise_mean) * self.standardise_scale
        return result
