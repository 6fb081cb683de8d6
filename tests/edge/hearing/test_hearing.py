"""From blocks to events: the same for any blocks, silence costs nothing, long speech is cut."""

import numpy as np
import pytest

from overtone_edge.core.config import DecisionConfig, GateConfig, gate_spec
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.streaming import StreamingRecogniser
from overtone_models.errors import FrontEndError
from overtone_models.gate import GateSpec


@pytest.fixture
def make_hearing(bundle):
    def make(**values) -> Hearing:
        settings = DecisionConfig(**{"threshold": 0.0, **values})
        recent = RecentSpeech(bundle.manifest.front_end, max_s=30.0)
        return Hearing(
            StreamingRecogniser(bundle),
            device="a",
            config=settings,
            recent=recent,
            gate=GateConfig(),
            clock=lambda: 7.0,
        )

    return make


@pytest.fixture(scope="module")
def sound(voice, silence) -> np.ndarray:
    """Two utterances of 1.6 s, a pause in the first, and 1.2 s."""
    first = [voice(0.8), silence(0.7), voice(0.8)]
    return np.concatenate([silence(0.4), *first, silence(1.3), voice(1.2, pitch_hz=220.0), silence(1.1)])


def run(hearing: Hearing, sound: np.ndarray, block: int) -> list:
    events = [e for start in range(0, sound.size, block) for e in hearing.process(sound[start : start + block])]
    return events + hearing.finish()


@pytest.mark.parametrize("block", [7, 160, 1024, 16_000])
def test_events_do_not_depend_on_the_blocks(make_hearing, block: int, sound) -> None:
    whole = run(make_hearing(), sound, sound.size)
    assert run(make_hearing(), sound, block) == whole
    assert [event.final for event in whole].count(True) == 2
    assert whole[-1].time_s == 7.0


@pytest.mark.parametrize("block", [7, 160, 1024, 16_000])
def test_long_speech_is_closed_at_the_same_places_for_any_blocks(make_hearing, block: int, sound, voice) -> None:
    speech = np.concatenate([sound, voice(4.3)])
    settings = {"max_utterance_s": 1.0, "report_every_s": 0.2}
    whole = run(make_hearing(**settings), speech, speech.size)
    assert run(make_hearing(**settings), speech, block) == whole
    assert [event.final for event in whole].count(True) >= 6


def test_silence_costs_no_inference(make_hearing, silence) -> None:
    hearing = make_hearing()
    assert run(hearing, silence(5.0), 1600) == []
    assert hearing.counters.hops == 0
    assert hearing.counters.stream_s == pytest.approx(5.0)


def test_a_longer_hangover_alone_makes_the_pause_as_long() -> None:
    base = GateSpec()
    assert gate_spec(base, GateConfig()) == base
    assert gate_spec(base, GateConfig(hangover_ms=2000)) == GateSpec(hangover_ms=2000, pause_ms=2000)
    assert gate_spec(base, GateConfig(hangover_ms=300, pause_ms=400)) == GateSpec(hangover_ms=300, pause_ms=400)
    with pytest.raises(FrontEndError, match="pause_ms is 400, limit is at least hangover_ms = 500"):
        gate_spec(base, GateConfig(pause_ms=400))


def test_events_come_at_the_configured_pace(make_hearing, sound) -> None:
    events = [e for e in run(make_hearing(report_every_s=0.5, hysteresis=1.0), sound, 1600) if not e.final]
    first = [e.speech_s for e in events if e.stream_s < 2.6]
    assert np.diff(first) == pytest.approx(0.5)
    assert sum(events[0].probabilities.values()) == pytest.approx(1.0, abs=1e-4)


def test_endless_speech_is_closed_in_between(make_hearing, voice) -> None:
    events = run(make_hearing(max_utterance_s=2.0), voice(7.0), 1600)
    finals = [event.speech_s for event in events if event.final]
    assert len(finals) == 4
    assert finals[:3] == pytest.approx([2.0, 2.0, 2.0], abs=0.11)


def test_an_utterance_that_the_end_cuts_off_is_decided(make_hearing, voice) -> None:
    events = run(make_hearing(), voice(1.5), 1600)
    assert events[-1].final


def test_another_bundle_goes_on_where_the_first_was(make_hearing, sound, silence) -> None:
    first, second = make_hearing(), make_hearing()
    run(first, sound, 1600)
    seen = first.counters.stream_s
    second.take_over(first)
    run(second, silence(1.0), 1600)
    assert second.counters.stream_s == pytest.approx(seen + 1.0)


def test_a_personal_head_is_used_at_once(make_hearing, bundle, sound) -> None:
    hearing = make_hearing()
    head = np.zeros_like(bundle.head)
    head[-1] = 50.0
    hearing.with_head(head)
    assert {event.label for event in run(hearing, sound, 1600) if event.final} == {bundle.manifest.labels[-1]}


def test_what_was_heard_can_be_labelled(make_hearing, bundle, sound) -> None:
    hearing = make_hearing()
    run(hearing, sound, 1600)
    pieces = hearing._recent.last(30.0)
    assert len(pieces) == 2
    assert pieces[0].frames.shape[1] == bundle.manifest.front_end.n_mfcc


def test_laps_follow_the_stages(make_hearing, bundle, sound) -> None:
    laps: list[str] = []

    class Watch:
        def lap(self, stage: str) -> None:
            laps.append(stage)

    recent = RecentSpeech(bundle.manifest.front_end, max_s=5.0)
    hearing = Hearing(
        StreamingRecogniser(bundle), device="a", config=DecisionConfig(), recent=recent, stopwatch=Watch()
    )
    run(hearing, sound, 1600)
    assert set(laps) == {"gate", "recognise", "decide"}
    assert laps.count("recognise") == laps.count("decide") == hearing.counters.hops
