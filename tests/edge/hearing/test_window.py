"""A window network on the device: looks at the last seconds, learns a head, says what it cannot do."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.bundles import committed_bundles

from overtone_converters.signing import sign_bundle
from overtone_edge.agent.cli import main
from overtone_edge.agent.status import stored_status
from overtone_edge.core.config import DecisionConfig, load_config
from overtone_edge.core.errors import InferenceError, LearningError
from overtone_edge.hearing.example_forms import example_form_for
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.streaming import StreamingRecogniser, golden_difference, open_recogniser
from overtone_edge.hearing.window import WindowRecogniser
from overtone_edge.install.installer import self_test
from overtone_edge.install.quality import usable_examples
from overtone_edge.learning.evaluation import evaluate
from overtone_edge.learning.labelling import Row, label_speech
from overtone_edge.learning.trainer import personal_head
from overtone_edge.learning.training_steps import Plan, train
from overtone_edge.state.examples import Example, Store
from overtone_edge.state.home import Home
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.errors import BundleError


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(committed_bundles()["two-inputs"])


@pytest.fixture
def install(fleet, make_config, tmp_path: Path):
    """Return a function that signs a kind's bundle as version 5 and installs it on `device-a`."""

    def install(kind: str, sections: str = "") -> tuple[int, Path]:
        data = committed_bundles()[kind]
        signed = tmp_path / "window.signed"
        signed.write_bytes(sign_bundle(data, name=kind, version=5, keys=fleet.folder / "keys"))
        config = make_config(sections)
        return main(["install", str(signed), "--config", str(config)]), config

    return install


@pytest.mark.parametrize("size", [1, 160, 1024, 7777])
def test_any_block_size_gives_the_same_hops(bundle: Bundle, voice, size: int) -> None:
    sound = voice(1.7) if size > 1 else voice(0.55)
    recogniser = open_recogniser(bundle)
    assert isinstance(recogniser, WindowRecogniser) and recogniser.hop_s == 0.5
    expected = recogniser.process(sound)
    last = recogniser.end()
    got = [hop for start in range(0, sound.size, size) for hop in recogniser.process(sound[start : start + size])]
    assert [hop.time_s for hop in got] == [0.5 * n for n in range(1, 1 + int(sound.size / 8000))]
    for a, b in zip([*got, recogniser.end()], [*expected, last], strict=True):
        for name in ("rows", "embedding", "probabilities"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_a_hop_is_of_the_last_window_alone(bundle: Bundle, voice) -> None:
    """The window is 1 s: what was before it makes no difference, what the utterance before held neither."""
    recogniser = open_recogniser(bundle)
    tail = voice(1.0, pitch_hz=200.0)
    recogniser.begin()
    expected = recogniser.process(tail)[-1]
    recogniser.begin()
    got = recogniser.process(np.concatenate([voice(3.0), tail]))[-1]
    np.testing.assert_array_equal(got.embedding, expected.embedding)
    assert np.isclose(got.probabilities.sum(), 1.0, atol=1e-5)


def test_the_rows_of_all_hops_are_the_whole_utterance(bundle: Bundle, voice) -> None:
    recogniser = open_recogniser(bundle)
    sound = voice(1.3)
    hops = [*recogniser.process(sound), recogniser.end()]
    np.testing.assert_array_equal(np.concatenate([hop.rows for hop in hops])[:, 0], sound)


def test_too_little_sound_is_no_answer(bundle: Bundle) -> None:
    recogniser = open_recogniser(bundle)
    assert recogniser.end() is None
    recogniser.process(np.zeros(1000, np.float32))
    assert recogniser.end() is None


def test_the_golden_clip_and_the_training_file_pass_the_self_test() -> None:
    for kind in ("two-inputs", "lstm"):
        found = read_bundle(committed_bundles()[kind])
        assert golden_difference(found) < 1e-6
        self_test(found)
    with pytest.raises(InferenceError, match="differ from the bundle's manifest"):
        open_recogniser(replace(found, streaming_model=read_bundle(committed_bundles()["two-inputs"]).streaming_model))


def test_networks_that_need_text_are_refused_in_one_line(install, capsys) -> None:
    with pytest.raises(
        InferenceError, match=r"^the network text needs text \(input 0\), which a device does not have$"
    ):
        open_recogniser(read_bundle(committed_bundles()["text"]))
    status, config = install("text")
    assert status == 1
    assert "the network text needs text (input 0), which a device does not have" in capsys.readouterr().err
    assert stored_status(Home(load_config(config)))["bundle"] is None


def test_an_edge_recogniser_refuses_a_window_bundle(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="the network two-inputs looks at whole windows"):
        StreamingRecogniser(bundle)


def test_hearing_decides_and_keeps_what_can_be_labelled(bundle: Bundle, voice, silence, tmp_path: Path) -> None:
    form = example_form_for(bundle.manifest)
    recent = RecentSpeech(form, max_s=30.0)
    hearing = Hearing(open_recogniser(bundle), device="d", config=DecisionConfig(), recent=recent)
    sound = np.concatenate([silence(0.5), voice(2.0), silence(1.2), voice(0.7, seed=4), silence(1.2)])
    events = hearing.process(sound) + hearing.finish()
    assert sum(event.final for event in events) == 2
    assert set(events[0].probabilities) == set(bundle.manifest.labels)
    store = Store(tmp_path / "store", max_bytes=1 << 24, held_out_fraction=0.0)
    assert label_speech(store, recent.last(30.0), "happy", form) == 2
    examples = store.examples(bundle.manifest.features_digest, bundle.manifest.labels)
    assert [e.frames.shape for e in examples] == [(1, 16 * 32 + 41)] * 2
    assert usable_examples(bundle, examples) == examples
    assert usable_examples(bundle, [replace(examples[0], frames=examples[0].frames[:, :-1])]) == []
    assert store.examples("0" * 64, bundle.manifest.labels) == []


def test_the_newest_seconds_alone_are_labelled(bundle: Bundle, voice) -> None:
    form = example_form_for(bundle.manifest)
    recent = RecentSpeech(form, max_s=2.0)
    recognised = open_recogniser(bundle)
    recent.begin()
    sound = voice(4.2)
    for hop in [*recognised.process(sound), recognised.end()]:
        recent.add(hop.rows)
    (piece,) = recent.last(0.8)
    np.testing.assert_array_equal(piece.frames[:, 0], sound[-12_800:])
    assert piece.samples is None
    assert sum(len(p.frames) for p in recent.last(30.0)) <= 32_000


def examples_of(bundle: Bundle, voice, count: int) -> list[Example]:
    form = example_form_for(bundle.manifest)
    found = []
    for n in range(count):
        row = form.from_samples(voice(1.0, pitch_hz=(110.0 if n % 2 else 230.0) + n, seed=n))
        assert row is not None
        found.append(Example(row, "happy" if n % 2 else "sad", n % 4 >= 2))
    return found


def test_a_personal_head_learns_two_voices(bundle: Bundle, voice) -> None:
    examples = examples_of(bundle, voice, 16)
    plan = Plan(scope="head", steps=300, learning_rate=0.3, momentum=0.9, seed=1)
    head, answer = personal_head(bundle, examples, plan)
    assert answer["kept"] and answer["uar_after"] >= 0.8 and answer["loss_after"] < answer["loss_before"]
    recogniser = open_recogniser(bundle, head)
    assert recogniser.personal
    own = [
        bundle.manifest.labels[int(recogniser.probabilities(recogniser.embedding(e.frames)).argmax())] for e in examples
    ]
    # The pull towards the shared head may leave one of them.
    assert sum(said == e.label for said, e in zip(own, examples, strict=True)) >= 14


def test_the_whole_network_does_not_learn_here(bundle: Bundle, voice) -> None:
    plan = Plan(scope="full", steps=1, learning_rate=0.01, momentum=0.0, seed=1)
    with pytest.raises(LearningError, match="the installed network learns head here, not the scope full"):
        train(bundle, examples_of(bundle, voice, 4), plan)


def test_the_commands_work_with_a_window_bundle(install, voice, tmp_path: Path, capsys) -> None:
    status, config = install("two-inputs", "[learning]\nsteps=60\n")
    assert status == 0
    rows = ["path,label"]
    for n in range(12):
        sound = voice(1.2, pitch_hz=110.0 + 110 * (n % 2) + n, seed=n)
        soundfile.write(tmp_path / f"{n}.flac", np.concatenate([np.zeros(8000), sound, np.zeros(8000)]), 16_000)
        rows.append(f"{n}.flac,{'happy' if n % 2 else 'sad'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    assert main(["label", "--manifest", str(tmp_path / "labels.csv"), "--config", str(config)]) == 0
    capsys.readouterr()
    assert main(["personalise", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out)["kept"]
    home = Home(load_config(config))
    assert stored_status(home)["bundle"]["network"] == "two-inputs"
    result = evaluate(home, [Row(tmp_path / f"{n}.flac", "happy" if n % 2 else "sad") for n in range(12)])
    assert result["uar_personal"] >= 0.8 > result["uar"]
    assert result["recordings"] == 12


def test_the_agent_says_once_that_it_cannot_stream(install, recording, tmp_path: Path, caplog) -> None:
    from overtone_edge.agent.agent import Agent

    status, config = install(
        "lstm",
        '[source]\nkind="file"\npath="speech.wav"\npaced=false\nat_end="stop"\n'
        '[output]\njsonl="events.jsonl"\n[decision]\nthreshold=0.0\n',
    )
    assert status == 0
    with caplog.at_level(logging.INFO, "overtone_edge"):
        assert Agent(load_config(config)).run() == 0
    lines = [r.getMessage() for r in caplog.records if "cannot stream" in r.getMessage()]
    assert lines == ["the network lstm cannot stream: it looks at the last 1 s of speech every 0.5 s"]
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert sum(event["final"] for event in events) == 2 and all(event["bundle_version"] == 1 for event in events)


def test_a_timed_recogniser_says_what_the_plain_one_says(bundle: Bundle, voice) -> None:
    from overtone_edge.bench.hooks import TIMED_RECOGNISERS, BlockTimer, deadline_ms

    timer = BlockTimer(deadline_ms=deadline_ms(bundle.manifest))
    timed, plain = TIMED_RECOGNISERS["window"](bundle, timer), open_recogniser(bundle)
    timer.begin(0)
    sound = voice(0.6)
    assert np.array_equal(
        [hop.probabilities for hop in timed.process(sound)], [hop.probabilities for hop in plain.process(sound)]
    )
    timer.end()
    assert [len(timer.stages_ms[stage]) for stage in ("features", "network", "head")] == [1, 1, 1]
    assert len(timer.hop_ms) == 1 and deadline_ms(bundle.manifest) == 500.0
