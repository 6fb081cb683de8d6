"""Interface of the recognisers of one utterance, their result per hop, and the head that all of them share."""

from typing import NamedTuple, Protocol

import numpy as np

from overtone_edge.core.errors import InferenceError
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32


class Hop(NamedTuple):
    """The network's answer after another hop of speech.

    It answers for the first `time_s` seconds of the utterance, which took its first `samples` samples. `rows` is the
    speech since the last hop in the format of `RecentSpeech`: MFCC `(frames, n_mfcc)`, or `(samples, 1)` for a window
    network. `embedding` and `probabilities` are of the last `window_s` seconds of the utterance.
    """

    time_s: float
    samples: int
    rows: F32
    embedding: F32
    probabilities: F32


class UtteranceRecogniser(Protocol):
    """One utterance at a time: `begin()`, `process(samples) -> hops`, `end() -> answer for the whole utterance`."""

    bundle: Bundle

    @property
    def hop_s(self) -> float:
        """Seconds of speech from one hop to the next."""

    @property
    def personal(self) -> bool:
        """Whether a personal head is in use."""

    def set_head(self, head: F32 | None) -> None:
        """Use a personal head's flat weights, or the bundle's own when None."""

    def samples_until(self, time_s: float) -> int:
        """Return how many samples are missing for the next hop that answers for `time_s` or more; at least 1."""

    def begin(self) -> None:
        """Begin an utterance: the state of the one before is dropped."""

    def process(self, samples: F32) -> list[Hop]:
        """Return the hops that `samples` (float32, 16 kHz) complete."""

    def end(self) -> Hop | None:
        """Return the answer for the whole utterance, None where there is none; begin the next one."""

    def probabilities(self, embedding: F32) -> F32:
        """Return calibrated probabilities of `(..., embedding)` under the head in use."""

    def embedding(self, example: F32) -> F32:
        """Return the embedding of a stored example; the current utterance is lost."""


class HeadInUse:
    """The bundle's head or a personal one: a linear layer, calibrated."""

    def __init__(self, bundle: Bundle, head: F32 | None) -> None:
        self.bundle = bundle
        self.set_head(head)

    @property
    def personal(self) -> bool:
        """Whether a personal head is in use."""
        return self._personal

    def set_head(self, head: F32 | None) -> None:
        """Use a personal head's flat weights, or the bundle's own when None."""
        network = self.bundle.manifest.network
        vector = self.bundle.head if head is None else head
        split = network.embedding_size * network.n_classes
        if vector.shape != (split + network.n_classes,) or not np.isfinite(vector).all():
            raise InferenceError(f"a head of shape {vector.shape} does not fit, or holds a value that is not finite")
        self._personal = head is not None
        self._w = vector[:split].reshape(network.embedding_size, network.n_classes)
        self._b = vector[split:]

    def probabilities(self, embedding: F32) -> F32:
        """Return calibrated probabilities of `(..., embedding)` under the head in use."""
        return self.bundle.manifest.calibration.probabilities(embedding @ self._w + self._b)
