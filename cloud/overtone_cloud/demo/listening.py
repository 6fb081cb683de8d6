"""A device listens to its owner's recordings in real time; its events are printed as they arrive."""

import csv
import io
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora import audio
from overtone_cloud.demo.fleet import ChildProcess, DemoError, last_line
from overtone_cloud.synthesis.corpus import write_wav
from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.front_end import F32

UTTERANCES = 4
PAUSE_S = 1.4
QUIET_S = 0.1
TIMEOUT_S = 90.0

Say = Callable[[str], None]
SpokenLabels = Sequence[tuple[float, str]]


def make_recording(folder: Path) -> tuple[Path, list[tuple[float, str]]]:
    """Write one WAV of a few recordings that the owner did not label; return when each label begins (seconds)."""
    rows = csv.DictReader(io.StringIO((folder / "kept.csv").read_text(encoding="utf-8")))
    by_label = {row["label"]: Path(row["path"]) for row in rows}
    recordings = [(label, audio.load(path)) for label, path in list(by_label.items())[:UTTERANCES]]
    pauses = [background(samples) for _, samples in recordings]
    # At first the detector takes noise for speech until it has adapted to it.
    parts, spoken, position = [np.zeros_like(pauses[0])], [], pauses[0].size
    for (label, samples), pause in zip(recordings, pauses, strict=True):
        spoken.append((position / SAMPLE_RATE_HZ, label))
        parts += [samples, pause]
        position += samples.size + pause.size
    recording = folder / "listen.wav"
    write_wav(recording, np.concatenate(parts))
    return recording, spoken


def background(samples: F32) -> F32:
    """Return a pause with noise as loud as the recording's quietest stretch: no room is silent."""
    length = min(int(QUIET_S * SAMPLE_RATE_HZ), samples.size)
    power = np.convolve(np.square(samples, dtype=np.float64), np.full(length, 1.0 / length), "valid").min()
    noise = np.random.default_rng(0).normal(size=int(PAUSE_S * SAMPLE_RATE_HZ))
    pause: F32 = (np.sqrt(max(power, 0.0)) * noise).astype(np.float32)
    return pause


def listen(agent: ChildProcess, spoken_labels: SpokenLabels, say: Say) -> list[dict[str, Any]]:
    """Return the events of an agent that ends with its recording, with the spoken labels; prints each as it arrives."""
    count = 0
    end = time.monotonic() + TIMEOUT_S
    with agent:
        while agent.running and time.monotonic() < end:
            time.sleep(0.2)
            count = _print_events(events(agent.log), count, spoken_labels, say)
    agent_events = events(agent.log)
    _print_events(agent_events, count, spoken_labels, say)
    if agent.wait(1) or not agent_events:
        raise DemoError(f"{agent.name} detected no speech: {last_line(agent.log)} ({agent.log})")
    return [{**event, "spoken": spoken_at(event["stream_s"], spoken_labels)} for event in agent_events]


def spoken_at(stream_s: float, spoken_labels: SpokenLabels) -> str:
    """Return the emotion of the utterance that began last; empty before the first."""
    return next((label for begins, label in reversed(spoken_labels) if begins <= stream_s), "")


def events(log: Path) -> list[dict[str, Any]]:
    """Return the whole events in an agent's output so far."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [json.loads(line) for line in lines if line.startswith("{")]


def _print_events(agent_events: Sequence[dict[str, Any]], count: int, spoken_labels: SpokenLabels, say: Say) -> int:
    for event in agent_events[count:]:
        truth = spoken_at(event["stream_s"], spoken_labels)
        what = event["label"] or "no decision"
        mark = "whole utterance: " if event["final"] else ""
        truth_text = f"(spoken: {truth})" if truth else ""
        say(f"    {event['stream_s']:5.1f} s  {mark}{what:12} {100 * event['confidence']:3.0f} %  {truth_text}")
    return len(agent_events)
