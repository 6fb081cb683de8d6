"""Recogniser of an edge network, which streams: features, network, pooling, head, calibration."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.recogniser import HeadInUse, Hop, UtteranceRecogniser
from overtone_edge.hearing.runtime import StreamingNetwork
from overtone_edge.hearing.window import WindowRecogniser
from overtone_models import loops
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32, FrontEnd
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.window_spec import WindowSpec

__all__ = ["Hop", "Statistics", "StreamingRecogniser", "golden_difference", "open_recogniser", "pooled"]

STD_FLOOR = 1e-4
WINDOW_S = 3.0
"""Seconds of speech behind the answer of a hop."""


class Statistics:
    """Mean and standard deviation of hop features: over the whole utterance and over its last hops."""

    def __init__(self, window: int, channels: int) -> None:
        # Twice the window: the last hops are always contiguous, oldest first, and move only when the rows are full.
        self._rows = np.empty((2 * window, channels), np.float32)
        self._window, self._stop = window, 0
        # Sums of the hops that left the rows, in float64; the hops still in the rows are added on demand.
        self._sum, self._squares = np.zeros((2, channels))
        self.count = 0

    def add(self, hop: F32) -> None:
        """Add the `(channels,)` features of one hop."""
        if self._stop == len(self._rows):
            total, squares = _sums(self._rows[: self._window])
            self._sum += total
            self._squares += squares
            self._rows[: self._window] = self._rows[self._window :]
            self._stop = self._window
        self._rows[self._stop] = hop
        self._stop += 1
        self.count += 1

    def recent(self) -> F32:
        """Return the `(2 * channels,)` embedding of the last hops."""
        return pooled(self._rows[max(0, self._stop - self._window) : self._stop])

    def whole(self) -> F32:
        """Return the `(2 * channels,)` embedding of the utterance so far."""
        total, squares = _sums(self._rows[: self._stop])
        mean = (self._sum + total) / self.count
        variance = np.maximum((self._squares + squares) / self.count - mean * mean, 0.0)
        embedding: F32 = np.concatenate([mean, np.sqrt(variance + STD_FLOOR)]).astype(np.float32)
        return embedding


def _sums(hops: F32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    wide = hops.astype(np.float64)
    return wide.sum(0), (wide * wide).sum(0)


def pooled(hops: F32) -> F32:
    """Return the `(2 * channels,)` mean and standard deviation of `(hops, channels)`."""
    embedding = np.empty(2 * hops.shape[1], np.float32)
    loops.pooled(hops, STD_FLOOR, embedding)
    return embedding


def recent_hops(bundle: Bundle, window_s: float = WINDOW_S) -> int:
    """Return the number of hops behind the answer of a hop."""
    return max(1, round(window_s / (bundle.manifest.edge.hop_frames * bundle.manifest.front_end.hop_s)))


class StreamingRecogniser(HeadInUse):
    """An edge network, which streams: one utterance at a time, see `UtteranceRecogniser`."""

    def __init__(self, bundle: Bundle, head: F32 | None = None, *, window_s: float = WINDOW_S) -> None:
        network = bundle.manifest.edge
        self._mfcc = FrontEnd(bundle.manifest.front_end)
        self._network = StreamingNetwork(bundle.streaming_model)
        if (self._network.hop_frames, self._network.width) != (network.hop_frames, network.width):
            raise InferenceError("the streaming model's hop or width differs from the bundle's manifest")
        if self._network.n_features != network.n_features:
            raise InferenceError("the streaming model's number of features differs from the bundle's manifest")
        expected = {f"state{index}": (1, *shape) for index, shape in enumerate(network.state_shapes)}
        shapes = {name: state.shape for name, state in self._network.states.items()}
        if shapes != expected:
            raise InferenceError(f"the streaming model's states are {shapes}, the bundle's manifest says {expected}")
        self._hop_s = network.hop_frames * bundle.manifest.front_end.hop_s
        self._window = recent_hops(bundle, window_s)
        super().__init__(bundle, head)
        self.begin()

    @property
    def hop_s(self) -> float:
        """Seconds of speech in one hop."""
        return self._hop_s

    def begin(self) -> None:
        """Begin an utterance: the state of the one before is dropped."""
        self._mfcc.reset()
        self._network.reset()
        self._statistics = Statistics(self._window, self._network.width)
        self._sample_count = 0
        self._pending_frames = np.empty((0, self.bundle.manifest.front_end.n_mfcc), np.float32)

    def process(self, samples: F32) -> list[Hop]:
        """Return the hops that `samples` (float32, 16 kHz) complete."""
        self._sample_count += samples.size
        return self.process_frames(self._mfcc.process(samples))

    def samples_until(self, time_s: float) -> int:
        """Return the number of samples missing for the next hop that answers for `time_s` or more; at least 1."""
        hops = max(self._statistics.count + 1, math.ceil(time_s / self._hop_s - 1e-9))
        return self._samples_of(hops) - self._sample_count

    def _samples_of(self, hops: int) -> int:
        """Return the number of samples that `hops` hops of an utterance take: whole blocks of the front end."""
        front_end = self.bundle.manifest.front_end
        blocks = -(-hops * self._network.hop_frames // front_end.block_frames)
        return (blocks - 1) * front_end.block_frames * front_end.hop_samples + front_end.block_samples

    def process_frames(self, mfcc: F32) -> list[Hop]:
        """Return the hops that `(frames, n_mfcc)` complete."""
        if not mfcc.size:
            return []
        frames = np.concatenate([self._pending_frames, mfcc]) if self._pending_frames.size else mfcc
        size = self._network.hop_frames
        whole = len(frames) // size * size
        self._pending_frames = frames[whole:]
        return [self._hop(frames[start : start + size]) for start in range(0, whole, size)]

    def _hop(self, mfcc: F32) -> Hop:
        self._statistics.add(self._network.process(self.bundle.standardise(mfcc)))
        embedding = self._statistics.recent()
        count = self._statistics.count
        return Hop(count * self._hop_s, self._samples_of(count), mfcc, embedding, self.probabilities(embedding))

    def end(self) -> Hop | None:
        """Return the answer for the whole utterance, None when it had no whole hop; begin the next one."""
        self.process_frames(self._mfcc.flush())
        result = None
        if count := self._statistics.count:
            embedding = self._statistics.whole()
            empty = np.empty((0, self.bundle.manifest.front_end.n_mfcc), np.float32)
            result = Hop(count * self._hop_s, self._sample_count, empty, embedding, self.probabilities(embedding))
        self.begin()
        return result

    def embedding(self, mfcc: F32) -> F32:
        """Return the whole-utterance embedding of `(frames, n_mfcc)`; the current utterance is lost."""
        self.begin()
        self.process_frames(mfcc)
        if not self._statistics.count:
            raise InferenceError(f"{len(mfcc)} frames are shorter than one hop of {self._network.hop_frames}")
        result = self._statistics.whole()
        self.begin()
        return result


RECOGNISERS: Mapping[str, Callable[[Bundle, F32 | None], UtteranceRecogniser]] = {
    EdgeTcnSpec.family: StreamingRecogniser,
    WindowSpec.family: WindowRecogniser,
}
"""The recogniser of each family of networks."""


def open_recogniser(bundle: Bundle, head: F32 | None = None) -> UtteranceRecogniser:
    """Return the recogniser of the bundle's network; raise InferenceError where it cannot run here."""
    return RECOGNISERS[bundle.manifest.network.family](bundle, head)


def golden_difference(bundle: Bundle) -> float:
    """Return the largest difference between this machine's and the bundle's golden probabilities."""
    recogniser = open_recogniser(bundle)
    hops = [hop.probabilities for hop in recogniser.process(bundle.golden_samples)]
    probabilities = np.stack(hops) if hops else np.empty((0, len(bundle.manifest.labels)), np.float32)
    if probabilities.shape != bundle.golden_probabilities.shape:
        raise InferenceError(
            f"golden clip gives {probabilities.shape}, the bundle says {bundle.golden_probabilities.shape}"
        )
    if not hops:
        raise InferenceError(f"golden clip of {bundle.golden_samples.size} samples is shorter than one hop")
    return float(np.abs(probabilities - bundle.golden_probabilities).max())
