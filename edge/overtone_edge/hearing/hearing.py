"""Blocks of samples to events: gate, recogniser, decision. No thread, no input or output."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from overtone_edge.core.config import DecisionConfig, GateConfig, gate_spec
from overtone_edge.hearing.decision import Decider, Decision
from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.recogniser import Hop, UtteranceRecogniser
from overtone_models.front_end import F32
from overtone_models.gate import FRAME_SAMPLES, Gate, Segment, SpeechDetector, WebRtcDetector
from overtone_models.reference import Reference

FRAME_S = 0.01
LEAST_REFERENCE_S = 0.5
LEAST_REFERENCE_SPEECH = 0.5
"""What is shorter, without the gate's preroll and hangover, or more likely no speech says too little to count."""


class Stopwatch(Protocol):
    """Times the stages of a block: capture and gate once, then recognise, decide and publish for each hop or event."""

    def lap(self, stage: str) -> None:
        """Record that `stage` ends now; it began where the last one ended."""
        ...


class NoStopwatch:
    """Times nothing."""

    def lap(self, stage: str) -> None:
        """Do nothing."""


@dataclass
class HearingCounters:
    """Counters since listening began."""

    frames: int = 0
    utterances: int = 0
    hops: int = 0
    events: int = 0

    @property
    def stream_s(self) -> float:
        """Seconds of the source so far."""
        return self.frames * FRAME_S

    def to_json(self) -> dict[str, float]:
        """Return the counters by name."""
        return {"stream_s": round(self.stream_s, 2), **asdict(self)}


class Hearing:
    """`process(block) -> events` and `finish() -> events`; the same events for any block size.

    An utterance that reaches `max_utterance_s` ends, and a new one begins.
    """

    def __init__(
        self,
        recogniser: UtteranceRecogniser,
        *,
        device: str,
        config: DecisionConfig,
        recent: RecentSpeech,
        gate: GateConfig | None = None,
        detector: SpeechDetector | None = None,
        clock: Callable[[], float] = time.time,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        manifest = recogniser.bundle.manifest
        spec = gate_spec(manifest.gate, gate or GateConfig())
        self.recogniser = recogniser
        self.counters = HearingCounters()
        self._labels = manifest.labels
        self._version = manifest.version
        self._gate = Gate(spec, detector or WebRtcDetector(spec.aggressiveness))
        self._decider = Decider(config, manifest.labels, manifest.calibration.threshold)
        self._least_reference_s = LEAST_REFERENCE_S + (spec.preroll_ms + spec.hangover_ms) / 1000
        self._config = config
        self._device = device
        self._recent = recent
        self._clock = clock
        self._watch = stopwatch or NoStopwatch()
        self._rest = np.zeros(0, np.float32)
        self._speech_s, self._samples = 0.0, 0
        self._last_report: tuple[str | None, float] = (None, 0.0)

    def process(self, block: F32) -> list[Emotion]:
        """Return the events of the next block (float32, 16 kHz)."""
        joined = np.concatenate((self._rest, block))
        whole = joined.size // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = joined[whole:]
        events: list[Emotion] = []
        before = self.counters.frames
        runs = self._gate.runs(joined[:whole])
        self._watch.lap("gate")
        for run in runs:
            for segment in self._cut(run):
                events += self._segment(segment, before)
        self.counters.frames = before + whole // FRAME_SAMPLES
        return events

    def finish(self) -> list[Emotion]:
        """Return the final event of an utterance that the end of the source cut off."""
        events = self._end() if self._gate.is_open else []
        self._gate.reset()
        self._rest = self._rest[:0]
        return events

    def take_over(self, old: "Hearing") -> "Hearing":
        """Take over counters, stopwatch and reference of `old`; return this hearing.

        The reference is taken over where the listening network is the same.
        """
        self.counters, self._watch = old.counters, old._watch
        before, now = old.recogniser, self.recogniser
        if before.reference is not None and before.bundle.reference_key == now.bundle.reference_key:
            now.use_reference(before.reference)
        return self

    def without_reference(self) -> "Hearing":
        """Return this hearing with a reference that has heard nothing."""
        spec = self.recogniser.bundle.manifest.reference
        if spec is not None:
            self.recogniser.use_reference(Reference(spec))
        return self

    def with_head(self, head: F32 | None) -> "Hearing":
        """Return this hearing with a personal head, or the bundle's own when None."""
        self.recogniser.set_head(head)
        return self

    def _cut(self, run: Segment) -> Iterator[Segment]:
        """Yield `run` in parts that end with the frame at which an utterance reaches `max_utterance_s`."""
        if run.in_one_piece:
            yield run
            return
        position, count = 0, run.samples.size // FRAME_SAMPLES
        while position < count:
            frames = math.ceil(self.recogniser.samples_until(self._config.max_utterance_s) / FRAME_SAMPLES)
            start, position = position, min(count, position + frames)
            part = run.samples[start * FRAME_SAMPLES : position * FRAME_SAMPLES]
            yield Segment(part, ends=run.ends and position == count, frame=run.frame - count + position)

    def _segment(self, segment: Segment, before: int) -> list[Emotion]:
        if segment.begins:
            self._begin()
        events = self._hops(segment, before) if segment.samples.size else []
        self.counters.frames = before + segment.frame
        if segment.ends:
            events += self._end()
        elif self._speech_s >= self._config.max_utterance_s:
            events += self._end()
            self._begin()
        return events

    def _hops(self, segment: Segment, before: int) -> list[Emotion]:
        self._recent.add_samples(segment.samples)
        self._samples += segment.samples.size
        events: list[Emotion] = []
        for hop in self.recogniser.process(segment.samples):
            self._watch.lap("recognise")
            # Exact to the frame, so that an event's time in the stream does not depend on the block size.
            later = 0 if segment.in_one_piece else (self._samples - hop.samples) // FRAME_SAMPLES
            self.counters.frames = before + segment.frame - later
            self._recent.add(hop.rows)
            event = self._hop(hop)
            self._watch.lap("decide")
            if event is not None:
                events.append(event)
        return events

    def _begin(self) -> None:
        self.counters.utterances += 1
        self._speech_s, self._samples = 0.0, 0
        self._last_report = (None, 0.0)
        self.recogniser.begin()
        self._decider.begin()
        self._recent.begin()

    def _hop(self, hop: Hop) -> Emotion | None:
        """Return an event where the label changed or the last report is `report_every_s` ago."""
        self.counters.hops += 1
        self._speech_s = hop.time_s
        decision = self._decider.process(hop.probabilities, self.recogniser.hop_s)
        label, reported_s = self._last_report
        repeat = self._speech_s - reported_s >= self._config.report_every_s - 1e-9
        if decision.label == label and not repeat:
            return None
        self._last_report = (decision.label, self._speech_s)
        return self._event(decision, final=False)

    def _end(self) -> list[Emotion]:
        hop = self.recogniser.end()
        if hop is None:
            return []
        self._recent.add(hop.rows)
        event = self._event(self._decider.end(hop.probabilities), final=True)
        # After the decision: an utterance is never compared with itself.
        if hop.time_s >= self._least_reference_s and float(hop.probabilities.sum()) >= LEAST_REFERENCE_SPEECH:
            self.recogniser.count_utterance(hop.embedding)
        return [event]

    def _event(self, decision: Decision, *, final: bool) -> Emotion:
        self.counters.events += 1
        return Emotion(
            device=self._device,
            time_s=self._clock(),
            stream_s=self.counters.stream_s,
            speech_s=self._speech_s,
            label=decision.label,
            confidence=decision.confidence,
            probabilities=dict(zip(self._labels, decision.probabilities, strict=True)),
            final=final,
            bundle_version=self._version,
        )
