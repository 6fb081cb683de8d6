"""A sound source that the agent does not know: any object of the Source protocol gives the events that a file gives."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.core.config import DecisionConfig, GateConfig
from overtone_edge.core.errors import SourceError
from overtone_edge.hearing.events import Emotion
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.listener import Listener
from overtone_edge.hearing.outputs import Outputs
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.sources import FileSource, Source
from overtone_edge.hearing.streaming import Recogniser
from overtone_models.bundle import Bundle


class ArraySource:
    """Samples in memory, in blocks of an odd size; fails at the end where `failure` says why."""

    overruns = 0

    def __init__(self, samples: np.ndarray, failure: str = "") -> None:
        self._samples = samples
        self._failure = failure
        self.closed = False

    def blocks(self) -> Iterator[np.ndarray]:
        for start in range(0, self._samples.size, 777):
            if self.closed:
                return
            yield self._samples[start : start + 777]
        if self._failure:
            raise SourceError(self._failure)

    def close(self) -> None:
        self.closed = True


class Collector:
    """An output that keeps the events in memory."""

    def __init__(self) -> None:
        self.events: list[Emotion] = []

    def emit(self, event: Emotion) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


def listener(source: Source, bundle: Bundle, collector: Collector) -> Listener:
    recent = RecentSpeech(bundle.manifest.front_end, max_s=30.0)
    settings = DecisionConfig(threshold=0.0)
    hearing = Hearing(
        Recogniser(bundle), device="a", config=settings, recent=recent, gate=GateConfig(), clock=lambda: 7.0
    )
    return Listener(source, hearing, Outputs([collector]), on_end=lambda complaint: None)


def events_of(source: Source, bundle: Bundle) -> list[Emotion]:
    collector = Collector()
    listener(source, bundle, collector).listen()
    return collector.events


def test_an_added_source_gives_the_events_of_a_file(bundle: Bundle, recording: Path) -> None:
    samples = np.concatenate(list(FileSource(recording, paced=False).blocks()))
    events = events_of(ArraySource(samples), bundle)
    assert [event.final for event in events].count(True) == 2
    assert events == events_of(FileSource(recording, paced=False), bundle)


def test_an_added_source_is_closed_and_its_failure_reported(bundle: Bundle, recording: Path) -> None:
    samples = np.concatenate(list(FileSource(recording, paced=False).blocks()))
    closed = ArraySource(samples)
    thread = listener(closed, bundle, Collector())
    thread.close()
    assert closed.closed
    with pytest.raises(SourceError, match="the line is dead"):
        events_of(ArraySource(samples, failure="the line is dead"), bundle)
