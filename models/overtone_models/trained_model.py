"""A trained model between training and conversion: its description, weights and standardisation."""

from dataclasses import dataclass

from overtone_models.bundle import Bundle
from overtone_models.description import ModelDescription
from overtone_models.errors import LayoutError
from overtone_models.front_end import F32
from overtone_models.network_spec import EdgeTcnSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel(ModelDescription):
    """A streaming network's flat weights, with the mean and scale that standardise its input."""

    network: EdgeTcnSpec
    weights: F32
    standardise_mean: F32
    standardise_scale: F32

    def __post_init__(self) -> None:
        self.layout.check(self.weights)
        if len(self.labels) != self.network.n_classes:
            raise LayoutError(f"{len(self.labels)} labels do not fit {self.network.n_classes} classes")

    def standardise(self, mfcc: F32) -> F32:
        """Return `(frames, n_mfcc)` standardised by the training data's mean and deviation."""
        result: F32 = (mfcc - self.standardise_mean) * self.standardise_scale
        return result


def model_of(bundle: Bundle) -> TrainedModel:
    """Return the model that a bundle was built from; raise BundleError for a network that does not stream."""
    return TrainedModel(
        **{**bundle.manifest.description_fields(), "network": bundle.manifest.edge},
        weights=bundle.weights,
        standardise_mean=bundle.standardise_mean,
        standardise_scale=bundle.standardise_scale,
    )
