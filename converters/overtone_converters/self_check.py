"""Does a bundle do on the device's runtime what its network does, where no recordings are at hand?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_converters.errors import ParityError
from overtone_converters.verify import (
    MAX_GOLDEN_DIFFERENCE,
    MAX_STEP_DIFFERENCE,
    step_difference,
    streaming_probabilities,
)
from overtone_edge.errors import InferenceError
from overtone_edge.recogniser import golden_difference
from overtone_edge.runtime import runtime_name
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.networks import edge_tcn

MAX_PROBABILITY_DIFFERENCE = 0.05


@dataclass(frozen=True, kw_only=True)
class SelfCheck:
    """What can be found without recordings, on voices that the computer makes itself.

    `probability_difference` is how far the int8 streaming network is from the float one, mean over voices of the
    largest difference of a probability. Labels are not compared: such voices lie where the network is undecided.
    """

    runtime: str
    synthetic_utterances: int
    probability_difference: float
    head_step_difference: float
    full_step_difference: float
    golden_difference: float
    streaming_bytes: int
    training_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON."""
        return asdict(self)

    def require(self) -> None:
        """Raise ParityError with every limit that is not kept."""
        limits = (
            ("probability difference", self.probability_difference, MAX_PROBABILITY_DIFFERENCE),
            ("head training difference", self.head_step_difference, MAX_STEP_DIFFERENCE),
            ("full training difference", self.full_step_difference, MAX_STEP_DIFFERENCE),
            ("golden clip difference", self.golden_difference, MAX_GOLDEN_DIFFERENCE),
        )
        failures = [
            f"{what} is {found:.3g}, limit is <= {limit:g}" for what, found, limit in limits if not found <= limit
        ]
        if failures:
            raise ParityError(f"bundle refused: {'; '.join(failures)}")


def self_check(bundle: Bundle, heard: Sequence[F32], targets: NDArray[np.int64]) -> SelfCheck:
    """Return what is found on `(frames, n_mfcc)` of made voices; raise ParityError where the runtime refuses."""
    manifest = bundle.manifest
    standardised = [bundle.standardise(one) for one in heard]
    offline = manifest.calibration.probabilities(edge_tcn.logits(manifest.edge, bundle.weights, standardised))
    try:
        streamed = streaming_probabilities(bundle, heard)
        return SelfCheck(
            runtime=runtime_name(),
            synthetic_utterances=len(heard),
            probability_difference=float(np.abs(streamed - offline).max(axis=1).mean()),
            head_step_difference=step_difference(bundle, "head", standardised, targets),
            full_step_difference=step_difference(bundle, "full", standardised, targets),
            golden_difference=golden_difference(bundle),
            streaming_bytes=len(bundle.streaming_model),
            training_bytes=len(bundle.training_model),
        )
    except InferenceError as error:
        raise ParityError(f"bundle refused: {error}") from error
