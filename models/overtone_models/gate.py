"""Voice activity gate, so that silence costs no inference.

The gate belongs to the front end's definition: training cuts its recordings with the same code
that opens and closes on the device, so that the network meets the same beginnings and ends.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.errors import FrontEndError
from overtone_models.front_end import F32
from overtone_models.loops import pcm


class SpeechDetector(Protocol):
    """Interface of a speech detector: one vote per frame of 10 ms."""

    def votes(self, samples: F32) -> list[bool]:
        """Return one vote, True for speech, per 160 float32 samples at 16 kHz; called once per frame."""
        ...


@dataclass(frozen=True, kw_only=True)
class GateSpec:
    """When the gate opens and closes; all times are multiples of 10 ms.

    `hangover_ms` of sound after the last speech pass; an utterance ends after `pause_ms` without speech.
    """

    aggressiveness: int = 2
    open_frames: int = 5
    open_within_frames: int = 8
    preroll_ms: int = 200
    hangover_ms: int = 500
    pause_ms: int = 1000

    LIMITS: ClassVar[dict[str, tuple[int, int]]] = {
        "aggressiveness": (0, 3),
        "open_frames": (1, 100),
        "open_within_frames": (1, 100),
        "preroll_ms": (0, 2_000),
        "hangover_ms": (10, 10_000),
        "pause_ms": (10, 60_000),
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
        if self.pause_ms < self.hangover_ms:
            raise FrontEndError(
                f"gate: pause_ms is {self.pause_ms}, limit is at least hangover_ms = {self.hangover_ms}"
            )
        for name in ("preroll_ms", "hangover_ms", "pause_ms"):
            if getattr(self, name) % 10:
                raise FrontEndError(f"gate: {name} is {getattr(self, name)}, it must be a multiple of 10")


FRAME_SAMPLES = 160
FRAME_MS = 10
_FRAME_BYTES = 2 * FRAME_SAMPLES


class WebRtcDetector:
    """Google's WebRTC voice activity detector (fixed point, 2 us per frame with its conversion, 0.2 MB installed)."""

    def __init__(self, aggressiveness: int = 2) -> None:
        # The compiled module that webrtcvad wraps: the wrapper adds a call per frame, and reads the installed packages.
        import _webrtcvad

        self._process, self._state = _webrtcvad.process, _webrtcvad.create()
        _webrtcvad.init(self._state)
        _webrtcvad.set_mode(self._state, aggressiveness)

    def votes(self, samples: F32) -> list[bool]:
        """Return one vote, True for speech, per 160 samples."""
        sound = pcm(samples)
        process, state = self._process, self._state
        places = range(0, len(sound), _FRAME_BYTES)
        return [process(state, SAMPLE_RATE_HZ, sound[place : place + _FRAME_BYTES], FRAME_SAMPLES) for place in places]


class Gate:
    """`process(samples) -> list[Segment]`: the speech in a stream, cut at its beginnings and ends.

    Sound after the hangover is buffered: it passes with the speech that ends the pause, or not at all.
    """

    def __init__(self, spec: GateSpec, detector: SpeechDetector) -> None:
        self.spec = spec
        self._detector = detector
        self._preroll: deque[F32] = deque(maxlen=max(1, spec.preroll_ms // 10 + spec.open_within_frames))
        self.reset()

    def reset(self) -> None:
        """Close the gate and drop buffered samples."""
        self._rest = np.zeros(0, np.float32)
        self._preroll.clear()
        self._votes: deque[bool] = deque(maxlen=self.spec.open_within_frames)
        self._pause: list[F32] = []
        self._turn = self._wait
        self._silent_ms = 0

    @property
    def is_open(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._turn != self._wait

    def process(self, samples: F32) -> "list[Segment]":
        """Return what passes, frame by frame: speech samples, each with whether it begins or ends an utterance."""
        joined = np.concatenate([self._rest, samples])
        whole = joined.size // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = joined[whole:]
        return [frame for run in self.runs(joined[:whole]) for frame in run.by_frames()]

    def runs(self, samples: F32) -> "list[Segment]":
        """Return what passes of whole frames; frames that pass one after the other are one segment.

        What begins an utterance is a segment of its own, and so is what ends a pause.
        """
        votes = self._detector.votes(samples)
        segments: list[Segment] = []
        place = 0
        while place < len(votes):
            run = self._turn(samples, votes, place)
            if run is None:
                break
            segments.append(run)
            place = run.frame
        return segments

    def _pass(self, samples: F32, votes: list[bool], first: int) -> "Segment":
        """Return the frames from `first` to the end of the hangover or of the samples."""
        ends, place = False, first
        for place in range(first, len(votes)):
            self._silent_ms = 0 if votes[place] else self._silent_ms + FRAME_MS
            if self._silent_ms >= self.spec.hangover_ms:
                self._votes.clear()
                self._preroll.clear()
                ends = self._silent_ms >= self.spec.pause_ms
                self._turn = self._wait if ends else self._hold
                break
        return Segment(samples[first * FRAME_SAMPLES : (place + 1) * FRAME_SAMPLES], ends=ends, frame=place + 1)

    def _hold(self, samples: F32, votes: list[bool], first: int) -> "Segment | None":
        """Return the buffered pause with the frame that ends it, or the utterance's end; None for neither."""
        for place in range(first, len(votes)):
            self._pause.append(samples[place * FRAME_SAMPLES : (place + 1) * FRAME_SAMPLES])
            self._votes.append(votes[place])
            self._silent_ms += FRAME_MS
            if self._opens:
                pause = np.concatenate(self._pause)
                self._turn, self._silent_ms = self._pass, 0
                self._pause.clear()
                return Segment(pause, resumes=True, frame=place + 1)
            if self._silent_ms >= self.spec.pause_ms:
                self._turn = self._wait
                self._preroll.extend(self._pause)
                self._pause.clear()
                return Segment(samples[:0], ends=True, frame=place + 1)
        return None

    def _wait(self, samples: F32, votes: list[bool], first: int) -> "Segment | None":
        """Return the frames before the gate's opening with the one that opens it; None where none does."""
        for place in range(first, len(votes)):
            self._preroll.append(samples[place * FRAME_SAMPLES : (place + 1) * FRAME_SAMPLES])
            self._votes.append(votes[place])
            if self._opens:
                self._turn, self._silent_ms = self._pass, 0
                return Segment(np.concatenate(self._preroll), begins=True, frame=place + 1)
        return None

    @property
    def _opens(self) -> bool:
        return sum(self._votes) >= self.spec.open_frames


class Segment(NamedTuple):
    """Samples that passed the gate; `begins` and `ends` mark an utterance's limits, `resumes` the end of a pause.

    A segment that begins or resumes also holds samples of earlier calls; one that ends a buffered pause is empty.
    `frame` counts the frames of this call up to the segment's last one.
    """

    samples: F32
    begins: bool = False
    ends: bool = False
    frame: int = 0
    resumes: bool = False

    @property
    def in_one_piece(self) -> bool:
        """Whether the segment cannot be split into frames of this call."""
        return self.begins or self.resumes or not self.samples.size

    def by_frames(self) -> "Iterator[Segment]":
        """Yield the segment frame by frame; one in one piece stays whole."""
        if self.in_one_piece:
            yield self
            return
        count = self.samples.size // FRAME_SAMPLES
        for number, frame in enumerate(self.samples.reshape(count, FRAME_SAMPLES), start=1):
            yield Segment(frame, ends=self.ends and number == count, frame=self.frame - count + number)


def speech_span(samples: F32, spec: GateSpec) -> tuple[int, int]:
    """Return the samples `(first, last + 1)` between which speech passes the gate; `(0, 0)` where none does."""
    whole = samples.size // FRAME_SAMPLES * FRAME_SAMPLES
    runs = Gate(spec, WebRtcDetector(spec.aggressiveness)).runs(samples[:whole])
    if not runs:
        return (0, 0)
    last = max(run.frame for run in runs if run.samples.size)
    return max(runs[0].frame * FRAME_SAMPLES - runs[0].samples.size, 0), last * FRAME_SAMPLES
