"""The agent's own parts with timers: blocks, stages, and a clip delivered like microphone input."""

import queue
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from overtone_common.audio import SAMPLE_RATE_HZ, from_s16le
from overtone_edge.bench.figures import STAGES
from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.outputs import Output
from overtone_edge.hearing.recogniser import Hop, UtteranceRecogniser
from overtone_edge.hearing.streaming import StreamingRecogniser
from overtone_edge.hearing.window import WindowRecogniser
from overtone_models.bundle import Bundle
from overtone_models.front_end import F32
from overtone_models.gate import GateSpec, WebRtcDetector
from overtone_models.manifest import Manifest
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.window_spec import WindowSpec

BLOCK_MS = 100
BLOCK_BYTES = SAMPLE_RATE_HZ * BLOCK_MS // 1000 * 2
_MERGED = {"recognise": "head"}


def deadline_ms(manifest: Manifest) -> float:
    """Return when a block is late: a whole answer of the network after it was due."""
    network = manifest.network
    if isinstance(network, WindowSpec):
        return max(BLOCK_MS, 1000.0 * network.decision_every_s)
    return BLOCK_MS


class BlockTimer:
    """Times each block of 100 ms from its arrival; a stopwatch for the agent's listener."""

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns, *, deadline_ms: float = BLOCK_MS) -> None:
        self._now_ns = now_ns
        self._deadline_ms = deadline_ms
        self._due_ns = self._last_ns = 0
        self._laps: dict[str, int] = {}
        self.stages_ms = {stage: array("d") for stage in STAGES}
        self.hop_ms, self.silence_ms = array("d"), array("d")
        self.deadline_misses = 0

    def begin(self, due_ns: int) -> None:
        """Begin a block whose last sample arrived at `due_ns`."""
        self._due_ns = self._last_ns = due_ns
        self._laps = {}

    def lap(self, stage: str) -> None:
        """Record that `stage` ends now; it began where the last one ended."""
        now_ns, name = self._now_ns(), _MERGED.get(stage, stage)
        self._laps[name] = self._laps.get(name, 0) + now_ns - self._last_ns
        self._last_ns = now_ns

    def end(self) -> None:
        """End the block; stages that did not occur are not counted, and after `deadline_ms` the deadline is missed."""
        whole_ms = (self._now_ns() - self._due_ns) / 1e6
        for stage, taken_ns in self._laps.items():
            self.stages_ms[stage].append(taken_ns / 1e6)
        # A window network answers in some blocks of speech only; the others are quick as silence is.
        (self.hop_ms if "network" in self._laps else self.silence_ms).append(whole_ms)
        self.deadline_misses += whole_ms > self._deadline_ms


class TimedRecogniser(StreamingRecogniser):
    """A recogniser that laps features, network (with standardisation and pooling) and head."""

    def __init__(self, bundle: Bundle, timer: BlockTimer) -> None:
        self._timer = timer
        super().__init__(bundle)

    def process_frames(self, mfcc: F32) -> list[Hop]:
        """Return the hops that `(frames, n_mfcc)` complete."""
        self._timer.lap("features")
        return super().process_frames(mfcc)

    def probabilities(self, embedding: F32) -> F32:
        """Return calibrated probabilities of an embedding."""
        self._timer.lap("network")
        result = super().probabilities(embedding)
        self._timer.lap("head")
        return result


class TimedWindowRecogniser(WindowRecogniser):
    """A window network's recogniser that laps features, network (with standardisation) and head."""

    def __init__(self, bundle: Bundle, timer: BlockTimer) -> None:
        self._timer = timer
        super().__init__(bundle)

    def embed(self, inputs: list[F32]) -> F32:
        """Return the embedding of a window's raw inputs."""
        self._timer.lap("features")
        return super().embed(inputs)

    def probabilities(self, embedding: F32) -> F32:
        """Return calibrated probabilities of an embedding."""
        self._timer.lap("network")
        result = super().probabilities(embedding)
        self._timer.lap("head")
        return result


TIMED_RECOGNISERS: Mapping[str, Callable[[Bundle, BlockTimer], UtteranceRecogniser]] = {
    EdgeTcnSpec.family: TimedRecogniser,
    WindowSpec.family: TimedWindowRecogniser,
}
"""The timed recogniser of each family of networks."""


class TimedOutput:
    """An output that times only its own writing; the time before belongs to the decision."""

    def __init__(self, output: Output, timer: BlockTimer) -> None:
        self._output = output
        self._timer = timer

    def emit(self, event: Emotion) -> None:
        """Take one event; the listener laps `publish` after it."""
        self._timer.lap("decide")
        self._output.emit(event)

    def close(self) -> None:
        """Close the output."""
        self._output.close()


class AlwaysSpeech:
    """Speech detector that reports speech in every frame, at the cost of the real detector."""

    def __init__(self, spec: GateSpec) -> None:
        self._detector = WebRtcDetector(spec.aggressiveness)

    def votes(self, samples: F32) -> list[bool]:
        """Return True for every frame."""
        return [True] * len(self._detector.votes(samples))


class ClipSource:
    """A clip of 16-bit mono PCM at 16 kHz, repeated for `blocks` blocks.

    At real pace a thread hands the blocks over through a queue, as the microphone's callback does; otherwise the next
    block follows as soon as the last one is done.
    """

    overruns = 0

    def __init__(self, clip: Path, *, blocks: int, paced: bool, timer: BlockTimer) -> None:
        self._clip = clip
        self._blocks = blocks
        self._paced = paced
        self._timer = timer
        self._queue: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._closed = threading.Event()

    def blocks(self) -> Iterator[F32]:
        """Yield the blocks; each one's time begins with the arrival of its last sample."""
        for due_ns, data in self._arriving() if self._paced else self._at_once():
            self._timer.begin(due_ns)
            yield from_s16le(data, 1)
            self._timer.end()

    def close(self) -> None:
        """Stop before the next block."""
        self._closed.set()

    def _at_once(self) -> Iterator[tuple[int, bytes]]:
        for data in self._read():
            yield time.monotonic_ns(), data

    def _arriving(self) -> Iterator[tuple[int, bytes]]:
        player = threading.Thread(target=self._play, name="clip", daemon=True)
        player.start()
        for _ in range(self._blocks):
            if self._closed.is_set():
                return
            yield self._queue.get()
        player.join()

    def _play(self) -> None:
        start_ns = time.monotonic_ns()
        for number, data in enumerate(self._read(), start=1):
            due_ns = start_ns + number * BLOCK_MS * 1_000_000
            self._closed.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            self._queue.put((due_ns, data))

    def _read(self) -> Iterator[bytes]:
        """Yield blocks from the disk, so that a long clip takes no memory."""
        with self._clip.open("rb") as file:
            for _ in range(self._blocks):
                data = file.read(BLOCK_BYTES)
                while len(data) < BLOCK_BYTES:
                    file.seek(0)
                    data += file.read(BLOCK_BYTES - len(data))
                yield data
