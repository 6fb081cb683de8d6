"""Interface of the recognisers of one utterance, their result per hop, and the head that all of them share."""

from typing import NamedTuple, Protocol

import numpy as np

from overtone_edge.core.errors import InferenceError
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.reference import Reference


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
    def reference(self) -> Reference | None:
        """The reference of this device's speech; None where the model has none."""

    def use_reference(self, reference: Reference) -> None:
        """Continue with this reference, which fits the bundle."""

    def count_utterance(self, embedding: F32) -> None:
        """Count an utterance's embedding in the reference; later embeddings are taken relative to it."""

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
    """The bundle's head or a personal one: a linear layer over embeddings relative to the reference, calibrated."""

    def __init__(self, bundle: Bundle, head: F32 | None) -> None:
        self.bundle = bundle
        spec = bundle.manifest.reference
        self._reference = None if spec is None else Reference(spec)
        self.set_head(head)

    @property
    def reference(self) -> Reference | None:
        """The reference of this device's speech; None where the model has none."""
        return self._reference

    def use_reference(self, reference: Reference) -> None:
        """Continue with this reference; raise InferenceError for one of another model."""
        if reference.spec != self.bundle.manifest.reference:
            raise InferenceError("the reference is of another model")
        self._reference = reference
        self._shift_bias()

    def count_utterance(self, embedding: F32) -> None:
        """Count an utterance's embedding in the reference; later embeddings are taken relative to it."""
        if self._reference is not None:
            self._reference.add(embedding)
            self._shift_bias()

    def _shift_bias(self) -> None:
        # (embedding + shift) @ w + b, with the shift once in the bias instead of in every hop.
        self._shifted_b = self._b if self._reference is None else self._b + self._reference.shift @ self._w

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
        self._shift_bias()

    def probabilities(self, embedding: F32) -> F32:
        """Return calibrated probabilities of `(..., embedding)` under the head in use."""
        return self.bundle.manifest.calibration.probabilities(embedding @ self._w + self._shifted_b)
