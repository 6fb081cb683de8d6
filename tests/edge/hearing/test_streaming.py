"""The recogniser: one utterance at a time, the same hops for any block size, window and whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.streaming import Hop, Statistics, StreamingRecogniser, golden_difference, pooled
from overtone_models.bundle import Bundle
from overtone_models.errors import FrontEndError
from overtone_models.front_end import mfcc


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    rng = np.random.default_rng(3)
    return (0.1 * rng.normal(size=40_000) * np.sin(np.arange(40_000) / 2_000)).astype(np.float32)


@pytest.fixture(scope="module")
def recogniser(bundle: Bundle) -> StreamingRecogniser:
    return StreamingRecogniser(bundle)


def same(got: list[Hop], expected: list[Hop]) -> None:
    assert [(hop.time_s, hop.samples) for hop in got] == [(hop.time_s, hop.samples) for hop in expected]
    for a, b in zip(got, expected, strict=True):
        for name in ("rows", "embedding", "probabilities"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_one_hop_each_100_ms(recogniser: StreamingRecogniser, samples: np.ndarray) -> None:
    recogniser.begin()
    hops = recogniser.process(samples)
    assert recogniser.hop_s == pytest.approx(0.1)
    np.testing.assert_allclose([hop.time_s for hop in hops], 0.1 * np.arange(1, 25))
    for hop in hops:
        assert hop.rows.shape == (10, 40)
        assert hop.embedding.shape == (32,)
        assert hop.embedding.dtype == hop.probabilities.dtype == np.float32
        assert hop.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(
        np.concatenate([hop.rows for hop in hops]), mfcc(samples, recogniser.bundle.manifest.front_end)[:240]
    )


def test_a_hop_comes_with_the_sample_that_it_says(recogniser: StreamingRecogniser, samples: np.ndarray) -> None:
    recogniser.begin()
    place = 0
    for number in range(1, 6):
        missing = recogniser.samples_until(0.0)
        assert recogniser.process(samples[place : place + missing - 1]) == []
        assert recogniser.samples_until(0.0) == 1
        place += missing
        (hop,) = recogniser.process(samples[place - 1 : place])
        assert (hop.samples, hop.time_s) == (place, pytest.approx(0.1 * number))


@pytest.mark.parametrize(("time_s", "hops"), [(0.0, 4), (0.4, 4), (0.41, 5), (0.5, 5), (1.25, 13)])
def test_samples_until_a_time_end_with_its_hop(
    recogniser: StreamingRecogniser, samples: np.ndarray, time_s: float, hops: int
) -> None:
    recogniser.begin()
    before = samples[:6_000]
    assert len(recogniser.process(before)) == 3
    missing = recogniser.samples_until(time_s)
    found = recogniser.process(samples[before.size : before.size + missing])
    assert len(found) == hops - 3
    assert found[-1].samples == before.size + missing


@pytest.mark.parametrize("block", [1, 7, 160, 1024])
def test_any_block_size_gives_the_same_hops(recogniser: StreamingRecogniser, samples: np.ndarray, block: int) -> None:
    part = samples[:8_000]
    recogniser.begin()
    whole, last = recogniser.process(part), recogniser.end()
    pieces = [part[start : start + block] for start in range(0, part.size, block)]
    same([hop for piece in pieces for hop in recogniser.process(piece)], whole)
    again = recogniser.end()
    assert last is not None
    assert again is not None
    np.testing.assert_array_equal(again.probabilities, last.probabilities)


@given(cuts=st.lists(st.integers(0, 12_000), max_size=8).map(sorted))
@settings(max_examples=20, deadline=None)
def test_any_cut_gives_the_same_hops(recogniser: StreamingRecogniser, samples: np.ndarray, cuts: list[int]) -> None:
    part = samples[:12_000]
    recogniser.begin()
    whole = recogniser.process(part)
    recogniser.begin()
    same([hop for piece in np.split(part, cuts) for hop in recogniser.process(piece)], whole)


def test_utterances_do_not_know_of_each_other(recogniser: StreamingRecogniser, samples: np.ndarray) -> None:
    recogniser.begin()
    first = recogniser.process(samples)
    recogniser.end()
    same(recogniser.process(samples), first)
    recogniser.begin()
    same(recogniser.process(samples), first)


def test_end_answers_for_the_whole_utterance_with_its_last_frames(
    recogniser: StreamingRecogniser, samples: np.ndarray
) -> None:
    recogniser.begin()
    recogniser.process(samples)
    whole = recogniser.end()
    assert whole is not None
    frames = mfcc(samples, recogniser.bundle.manifest.front_end)
    assert whole.time_s == pytest.approx(len(frames) // 10 * 0.1)
    assert whole.samples == samples.size
    np.testing.assert_allclose(whole.embedding, recogniser.embedding(frames), atol=1e-6)
    np.testing.assert_array_equal(whole.probabilities, recogniser.probabilities(whole.embedding))


def test_end_without_a_whole_hop_is_none(recogniser: StreamingRecogniser) -> None:
    recogniser.begin()
    assert recogniser.end() is None
    recogniser.process(np.zeros(1_000, np.float32))
    assert recogniser.end() is None


def test_hops_speak_of_the_last_seconds_only(bundle: Bundle, samples: np.ndarray) -> None:
    short = StreamingRecogniser(bundle, window_s=0.5)
    hops = short.process(samples)
    long = StreamingRecogniser(bundle, window_s=60.0)
    same(hops[:5], long.process(samples)[:5])
    features = []
    network = StreamingRecogniser(bundle)._network
    for hop in hops:
        features.append(network.process(bundle.standardise(hop.rows)))
    np.testing.assert_allclose(hops[-1].embedding, pooled(np.stack(features[-5:])), atol=1e-6)


def test_statistics_of_all_and_of_the_last() -> None:
    rng = np.random.default_rng(0)
    hops = rng.normal(3.0, 2.0, (50, 6)).astype(np.float32)
    statistics = Statistics(window=8, channels=6)
    for hop in hops:
        statistics.add(hop)
    np.testing.assert_allclose(statistics.whole(), pooled(hops), rtol=1e-5)
    np.testing.assert_allclose(statistics.recent(), pooled(hops[-8:]), rtol=1e-6)
    assert statistics.count == 50


@given(st.integers(1, 40), st.floats(0, 1e3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_running_statistics_equal_those_of_numpy(count: int, offset: float, seed: int) -> None:
    hops = (np.random.default_rng(seed).normal(size=(count, 3)) + offset).astype(np.float32)
    statistics = Statistics(window=count, channels=3)
    for hop in hops:
        statistics.add(hop)
    expected = np.concatenate([hops.astype(np.float64).mean(0), np.sqrt(hops.astype(np.float64).var(0) + 1e-4)])
    np.testing.assert_allclose(statistics.whole(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(statistics.recent(), expected, rtol=1e-3, atol=1e-3)


def test_personal_head_is_used_at_once_and_given_up_again(bundle: Bundle, samples: np.ndarray) -> None:
    recogniser = StreamingRecogniser(bundle)
    assert not recogniser.personal
    base = recogniser.process(samples)
    head = bundle.head.copy()
    head[-4:] += np.array([0, 50, 0, 0], np.float32)
    recogniser.set_head(head)
    assert recogniser.personal
    recogniser.begin()
    personal = recogniser.process(samples)
    assert all(hop.probabilities.argmax() == 1 for hop in personal)
    np.testing.assert_array_equal(personal[3].embedding, base[3].embedding)
    recogniser.set_head(None)
    assert not recogniser.personal
    recogniser.begin()
    same(recogniser.process(samples), base)
    same(StreamingRecogniser(bundle, head).process(samples), personal)


def test_heads_that_do_not_fit_are_refused_and_the_old_one_stays(bundle: Bundle, samples: np.ndarray) -> None:
    recogniser = StreamingRecogniser(bundle)
    before = recogniser.process(samples)
    broken = bundle.head.copy()
    broken[5] = np.nan
    for head in (bundle.head[:-1], bundle.weights, broken):
        with pytest.raises(InferenceError, match="does not fit"):
            recogniser.set_head(head)
        assert not recogniser.personal
    recogniser.begin()
    same(recogniser.process(samples), before)


def test_probabilities_are_calibrated(bundle: Bundle, samples: np.ndarray) -> None:
    manifest = bundle.manifest
    warm = replace(bundle, manifest=replace(manifest, calibration=replace(manifest.calibration, temperature=10.0)))
    sure, unsure = (StreamingRecogniser(b).process(samples)[-1].probabilities for b in (bundle, warm))
    assert sure.argmax() == unsure.argmax()
    assert unsure.max() < sure.max()


def test_samples_that_are_not_numbers(recogniser: StreamingRecogniser) -> None:
    recogniser.begin()
    with pytest.raises(FrontEndError, match="sample 2 is not a finite number"):
        recogniser.process(np.array([0, 0, np.nan], np.float32))


def test_embedding_of_too_little(recogniser: StreamingRecogniser) -> None:
    with pytest.raises(InferenceError, match="9 frames are shorter than one hop of 10"):
        recogniser.embedding(np.zeros((9, 40), np.float32))


def test_golden_clip_gives_the_bundles_answers(bundle: Bundle) -> None:
    assert golden_difference(bundle) < 1e-6
    other = replace(bundle, golden_probabilities=np.roll(bundle.golden_probabilities, 1, axis=1))
    assert golden_difference(other) > 0.02


def test_golden_clips_that_cannot_be_compared(bundle: Bundle) -> None:
    with pytest.raises(InferenceError, match=r"golden clip gives \(9, 4\), the bundle says \(8, 4\)"):
        golden_difference(replace(bundle, golden_probabilities=bundle.golden_probabilities[:-1]))
    empty = replace(
        bundle, golden_samples=np.zeros(100, np.float32), golden_probabilities=bundle.golden_probabilities[:0]
    )
    with pytest.raises(InferenceError, match="golden clip of 100 samples is shorter than one hop"):
        golden_difference(empty)


def test_a_bundle_whose_network_is_not_the_manifests(bundle: Bundle) -> None:
    manifest = replace(bundle.manifest, network=replace(bundle.manifest.network, channels=17))
    with pytest.raises(InferenceError, match="differs from the bundle's manifest"):
        StreamingRecogniser(replace(bundle, manifest=manifest))


def test_a_streaming_model_with_other_states_is_refused(bundle: Bundle) -> None:
    network = replace(bundle.manifest.edge, dilations=(1, 4))
    wrong = replace(bundle, manifest=replace(bundle.manifest, network=network))
    with pytest.raises(InferenceError, match=r"states are .*\(1, 8, 16\).*the bundle's manifest says .*\(1, 16, 16\)"):
        StreamingRecogniser(wrong)
