"""Verifies a bundle without recordings: synthetic voices on the device's runtime against the float network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overtone_converters.errors import ParityError
from overtone_converters.verify import Limit, OnRuntime, on_runtime, streaming_probabilities
from overtone_edge.core.errors import InferenceError
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.networks import edge_tcn

MAX_PROBABILITY_DIFFERENCE = 0.05


@dataclass(frozen=True, kw_only=True)
class SelfCheck(OnRuntime):
    """Comparison on synthetic voices.

    `probability_difference` compares the int8 streaming network with the float one: the mean over voices of the largest
    difference of a probability. Labels are not compared: the network is undecided on such voices.
    """

    synthetic_utterances: int
    probability_difference: float

    def limits(self) -> list[Limit]:
        """Return name, value, comparison sign and limit of each figure."""
        mine: Limit = ("probability difference", self.probability_difference, "<=", MAX_PROBABILITY_DIFFERENCE)
        return [mine, *super().limits()]


def self_check(bundle: Bundle, voices: Sequence[F32], targets: NDArray[np.int64]) -> SelfCheck:
    """Return the comparison on `(frames, n_mfcc)` of synthetic voices; raise ParityError where the runtime refuses."""
    manifest = bundle.manifest
    standardised = [bundle.standardise(one) for one in voices]
    offline = manifest.calibration.probabilities(edge_tcn.logits(manifest.edge, bundle.weights, standardised))
    try:
        streamed = streaming_probabilities(bundle, voices)
        return SelfCheck(
            synthetic_utterances=len(voices),
            probability_difference=float(np.abs(streamed - offline).max(axis=1).mean()),
            **on_runtime(bundle, standardised, targets),
        )
    except InferenceError as error:
        raise ParityError(f"bundle refused: {error}") from error
