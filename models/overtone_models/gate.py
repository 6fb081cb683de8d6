"""The voice activity gate: silence costs no inference.

The gate belongs to the front end's definition: training cuts its recordings with the same code
that opens and closes on the device, so that the network meets the same beginnings and ends.
"""

from collections import deque
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32


class SpeechDetector(Protocol):
    """Says whether one frame of 10 ms holds speech."""

    def is_speech(self, frame: F32) -> bool:
        """Return True for speech in `frame`, 160 float32 samples at 16 kHz."""
        ...


@dataclass(frozen=True, kw_only=True)
class GateSpec:
    """When the gate opens and closes; all times are multiples of 10 ms."""

    aggressiveness: int = 2
    open_frames: int = 5
    open_within_frames: int = 8
    preroll_ms: int = 200
    hangover_ms: int = 500

    LIMITS: ClassVar[dict[str, tuple[int, int]]] = {
        "aggressiveness": (0, 3),
        "open_frames": (1, 100),
        "open_within_frames": (1, 100),
        "preroll_ms": (0, 2_000),
        "hangover_ms": (10, 10_000),
    }

    def __post_init__(self) -> None:
        for name, (low, high) in self.LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise FrontEndError(f"gate: {name} is {value!r}, limit is the whole numbers {low}..{high}")
        if self.open_frames > self.open_within_frames:
            raise FrontEndError(
                f"gate: open_frames is {self.open_frames}, limit is open_within_frames = {self.open_within_frames}"
            )
        for name in ("preroll_ms", "hangover_ms"):
            if getattr(self, name) % 10:
                raise FrontEndError(f"gate: {name} is {getattr(self, name)}, it must be a multiple of 10")


FRAME_SAMPLES = 160


class WebRtcDetector:
    """Google's WebRTC voice activity detector (fixed point, 6 us a frame with its conversion, 0.2 MB installed)."""

    def __init__(self, aggressiveness: int = 2) -> None:
        import webrtcvad

        self._vad = webrtcvad.Vad(aggressiveness)

    def is_speech(self, frame: F32) -> bool:
        """Return True for speech in 160 samples."""
        pcm = np.clip(np.rint(frame * 32767.0), -32768, 32767).astype("<i2")
        return bool(self._vad.is_speech(pcm.tobytes(), 16_000))


class Gate:
    """`process(samples) -> list[Segment]`: the speech in a stream, cut at its beginnings and ends."""

    def __init__(self, spec: GateSpec, detector: SpeechDetector) -> None:
        self.spec = spec
        self._detector = detector
        self._preroll: deque[F32] = deque(maxlen=max(1, spec.preroll_ms // 10 + spec.open_within_frames))
        self.reset()

    def reset(self) -> None:
        """Close the gate and forget what waits."""
        self._rest = np.zeros(0, np.float32)
        self._preroll.clear()
        self._votes: deque[bool] = deque(maxlen=self.spec.open_within_frames)
        self._open = False
        self._silent_ms = 0

    @property
    def is_open(self) -> bool:
        """Whether speech is passing."""
        return self._open

    def process(self, samples: F32) -> "list[Segment]":
        """Return what passes: speech samples, each with whether it begins or ends an utterance."""
        joined = np.concatenate([self._rest, samples])
        whole = joined.size // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = joined[whole:]
        segments: list[Segment] = []
        for start in range(0, whole, FRAME_SAMPLES):
            segment = self._frame(joined[start : start + FRAME_SAMPLES])
            if segment is not None:
                segments.append(segment)
        return segments

    def _frame(self, frame: F32) -> "Segment | None":
        speech = self._detector.is_speech(frame)
        if self._open:
            self._silent_ms = 0 if speech else self._silent_ms + 10
            if self._silent_ms < self.spec.hangover_ms:
                return Segment(frame)
            self._open = False
            self._votes.clear()
            self._preroll.clear()
            return Segment(frame, ends=True)
        self._preroll.append(frame)
        self._votes.append(speech)
        if sum(self._votes) < self.spec.open_frames:
            return None
        self._open = True
        self._silent_ms = 0
        return Segment(np.concatenate(self._preroll), begins=True)


@dataclass(frozen=True)
class Segment:
    """Samples that passed the gate; `begins` and `ends` mark an utterance's limits."""

    samples: F32
    begins: bool = False
    ends: bool = False


def speech_span(samples: F32, spec: GateSpec) -> tuple[int, int]:
    """Return the samples `(first, last + 1)` from the gate's first opening to its last closing.

    `(0, 0)` where the gate never opens.
    """
    gate = Gate(spec, WebRtcDetector(spec.aggressiveness))
    position, first, last = 0, -1, 0
    for start in range(0, samples.size // FRAME_SAMPLES * FRAME_SAMPLES, FRAME_SAMPLES):
        position = start + FRAME_SAMPLES
        for segment in gate.process(samples[start:position]):
            if first < 0:
                first = position - segment.samples.size
            last = position
    return (max(first, 0), last) if last else (0, 0)
