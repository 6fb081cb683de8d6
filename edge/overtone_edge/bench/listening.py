"""Timed listening with the agent's own listener, block by block."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone_edge.bench.figures import spread
from overtone_edge.bench.hooks import (
    BLOCK_MS,
    TIMED_RECOGNISERS,
    AlwaysSpeech,
    BlockTimer,
    ClipSource,
    TimedOutput,
    deadline_ms,
)
from overtone_edge.bench.machine import peak_resident_mb, resident_mb
from overtone_edge.bench.sink import Sink
from overtone_edge.core.config import DecisionConfig, LearningConfig
from overtone_edge.core.files import read_limited
from overtone_edge.fleet.uplink import EVENT_EXPIRY_S
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.hearing import Hearing, Stopwatch
from overtone_edge.hearing.listener import Listener, trim_memory
from overtone_edge.hearing.outputs import EventPublisher, Outputs
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.recogniser import UtteranceRecogniser
from overtone_models.bundle import MAX_BYTES, Bundle, read_bundle
from overtone_protocol import Topics

DEVICE = "bench"


@dataclass(frozen=True, kw_only=True)
class ListeningRun:
    """Specification of a listening run: clip, duration and pace."""

    clip: Path
    seconds: float
    paced: bool
    gate_held_open: bool


def load(payload: Path) -> Bundle:
    """Return the bundle in an unsigned file."""
    return read_bundle(read_limited(payload, MAX_BYTES))


def build_hearing(
    recogniser: UtteranceRecogniser, *, gate_held_open: bool, stopwatch: Stopwatch | None = None
) -> Hearing:
    """Return the `Hearing` of an agent with the default configuration."""
    manifest = recogniser.bundle.manifest
    return Hearing(
        recogniser,
        device=DEVICE,
        config=DecisionConfig(),
        recent=RecentSpeech(example_form_for(manifest), max_s=LearningConfig().recent_speech_s),
        detector=AlwaysSpeech(manifest.gate) if gate_held_open else None,
        stopwatch=stopwatch,
    )


@contextmanager
def _sink() -> Iterator[Sink]:
    sink = Sink()
    try:
        sink.connect()
        yield sink
    finally:
        sink.kill()


def listen_to(bundle: Bundle, run: ListeningRun) -> dict[str, Any]:
    """Return the figures of one listening run, with events published to a local sink."""
    timer = BlockTimer(deadline_ms=deadline_ms(bundle.manifest))
    recogniser = TIMED_RECOGNISERS[bundle.manifest.network.family](bundle, timer)
    hearing = build_hearing(recogniser, gate_held_open=run.gate_held_open, stopwatch=timer)
    topic = Topics("bench").emotion(DEVICE)
    blocks = math.ceil(run.seconds * 1000 / BLOCK_MS)
    source = ClipSource(run.clip, blocks=blocks, paced=run.paced, timer=timer)
    with _sink() as sink:
        publisher = EventPublisher(lambda data: sink.link.publish(topic, data, expiry_s=EVENT_EXPIRY_S))
        outputs = Outputs([TimedOutput(publisher, timer)])
        listener = Listener(source, hearing, outputs, on_end=lambda _error: None, stopwatch=timer)
        trim_memory()
        at_rest_mb, wall, cpu = resident_mb(), time.monotonic(), time.process_time()
        listener.listen()
        wall_s, cpu_s = time.monotonic() - wall, time.process_time() - cpu
        listening_mb = resident_mb()
        acknowledged = sink.close()
    speech_s = hearing.counters.hops * hearing.recogniser.hop_s
    return {
        "blocks": blocks,
        "sound_s": round(blocks * BLOCK_MS / 1000, 3),
        "speech_s": round(speech_s, 3),
        "wall_s": round(wall_s, 4),
        "cpu_s": round(cpu_s, 4),
        "cpu_s_per_s_of_speech": round(cpu_s / speech_s, 6) if speech_s else 0.0,
        "stages_ms": {stage: spread(values) for stage, values in timer.stages_ms.items()},
        "hop_ms": spread(timer.hop_ms),
        "silence_ms": spread(timer.silence_ms),
        "deadline_misses": timer.deadline_misses,
        "memory": {"at_rest_mb": at_rest_mb, "listening_mb": listening_mb, "peak_mb": peak_resident_mb()},
        "publish": {"events": hearing.counters.events, "dropped": publisher.dropped, "acknowledged": acknowledged},
    }
