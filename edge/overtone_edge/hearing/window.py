"""Recogniser of a window network, which cannot stream: at regular intervals it evaluates the last seconds of speech."""

import logging
import math
from collections import deque

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.recogniser import HeadInUse, Hop
from overtone_edge.hearing.runtime import WindowBody
from overtone_models.bundle import Bundle
from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32
from overtone_models.window_inputs import WindowInputs

_log = logging.getLogger(__name__)

SHORTEST_S = 0.1


class WindowRecogniser(HeadInUse):
    """One utterance at a time, see `UtteranceRecogniser`; a hop every `decision_every_s` of speech.

    Each hop's answer is of the utterance's last `window_s`, or of all of it while it is shorter; so is the
    answer at its end.
    """

    def __init__(self, bundle: Bundle, head: F32 | None = None) -> None:
        spec = bundle.manifest.window
        if spec.missing:
            raise InferenceError(spec.missing)
        super().__init__(bundle, head)
        self._spec = spec
        self._inputs = WindowInputs(spec)
        self._body = WindowBody(bundle.streaming_model)
        if (self._body.input_shapes, self._body.embedding_size) != (spec.input_shapes, spec.embedding_size):
            raise InferenceError("the body's inputs or embedding differ from the bundle's manifest")
        self._every = round(spec.decision_every_s * SAMPLE_RATE_HZ)
        self.begin()

    @property
    def hop_s(self) -> float:
        """Seconds of speech from one hop to the next."""
        return self._every / SAMPLE_RATE_HZ

    def samples_until(self, time_s: float) -> int:
        """Return how many samples are missing for the next hop at `time_s` or later; at least 1."""
        hops = max(self._count // self._every + 1, math.ceil(time_s / self.hop_s - 1e-9))
        return hops * self._every - self._count

    def begin(self) -> None:
        """Begin an utterance: the samples of the one before are dropped."""
        self._blocks: deque[F32] = deque()
        self._buffered = self._count = 0
        self._new: list[F32] = []

    def process(self, samples: F32) -> list[Hop]:
        """Return the hops that `samples` (float32, 16 kHz) complete; the same for any size of the blocks."""
        hops: list[Hop] = []
        while samples.size:
            count = self.samples_until(0.0)
            self._take(samples[:count])
            samples = samples[count:]
            if self._count % self._every == 0 and (hop := self._evaluate()) is not None:
                hops.append(hop)
        return hops

    def end(self) -> Hop | None:
        """Return the answer for the end of the utterance, None where it was too short; begin the next one."""
        result = self._evaluate() if self._count >= SHORTEST_S * SAMPLE_RATE_HZ else None
        self.begin()
        return result

    def embedding(self, example: F32) -> F32:
        """Return the embedding of a stored window `(1, values)` of raw inputs."""
        return self.embed(self._spec.unflatten(example))

    def _take(self, samples: F32) -> None:
        """Append samples; blocks that lie wholly before the last window are dropped."""
        self._blocks.append(samples)
        self._new.append(samples)
        self._count += samples.size
        self._buffered += samples.size
        while self._buffered - self._blocks[0].size >= self._inputs.samples:
            self._buffered -= self._blocks.popleft().size

    def _evaluate(self) -> Hop | None:
        """Return the hop of the window that ends now, None where its features need more sound."""
        try:
            inputs = self._inputs.compute(np.concatenate(self._blocks))
        except FrontEndError as error:
            _log.debug("no answer after %.2f s: %s", self._count / SAMPLE_RATE_HZ, error)
            return None
        rows = np.concatenate(self._new)[:, None] if self._new else np.zeros((0, 1), np.float32)
        self._new = []
        embedding = self.embed(inputs)
        return Hop(self._count / SAMPLE_RATE_HZ, self._count, rows, embedding, self.probabilities(embedding))

    def embed(self, inputs: list[F32]) -> F32:
        """Return the embedding of a window's raw inputs."""
        bundle, spec = self.bundle, self._spec
        standardised = spec.standardise(inputs, bundle.standardise_mean, bundle.standardise_scale)
        embedding: F32 = self._body.embed(standardised) * np.float32(spec.embedding_scale)
        return embedding
