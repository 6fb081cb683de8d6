"""Verification: what a bundle must do on the device's runtime before it is let out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.support.tiny_models import tiny_bundle, tiny_model

from overtone_converters.build import build_bundle
from overtone_converters.errors import ConversionError, ParityError
from overtone_converters.verify import Verification, step_difference, verify_bundle
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.front_end import mfcc
from overtone_models.networks import edge_tcn

GOOD = Verification(
    runtime="x",
    utterances=100,
    label_agreement=0.99,
    uar_offline=0.6,
    uar_streaming=0.605,
    head_step_difference=1e-7,
    full_step_difference=1e-6,
    golden_difference=0.0,
    streaming_bytes=1,
    training_bytes=1,
)


@pytest.fixture(scope="module")
def utterances() -> list[np.ndarray]:
    """MFCC of noises with different colours, 0.4 to 2 s."""
    rng = np.random.default_rng(0)
    spec = tiny_model().front_end
    clips = []
    for index in range(24):
        noise = rng.normal(size=int(rng.uniform(0.4, 2.0) * 16_000))
        coloured = np.convolve(noise, np.exp(-np.arange(1 + index % 6) / 2.0), "same")
        clips.append(mfcc((0.05 * coloured).astype(np.float32), spec))
    return clips


@pytest.fixture(scope="module")
def sound(utterances: list[np.ndarray]) -> Bundle:
    """A tiny bundle calibrated on the utterances' own kind, with a head that parts them clearly."""
    model = tiny_model()
    frames = np.concatenate(utterances)
    model = replace(model, standardise_mean=frames.mean(0), standardise_scale=(1 / frames.std(0)).astype(np.float32))
    standardised = [model.standardise(u) for u in utterances]
    embeddings = edge_tcn.embeddings(model.network, model.weights, standardised)
    wide = np.hstack([embeddings, np.ones((len(embeddings), 1))])
    targets = np.eye(4)[np.arange(24) % 6 % 4] * 3
    head = np.linalg.lstsq(wide.T @ wide + np.eye(wide.shape[1]), wide.T @ targets, rcond=None)[0]
    weights = model.weights.copy()
    weights[model.network.layout.head_slice] = np.concatenate([head[:-1].reshape(-1), head[-1]])
    clip = (0.1 * np.random.default_rng(0).normal(size=16_000)).astype(np.float32)
    data = build_bundle(replace(model, weights=weights), utterances, clip, name="sound", version=1)
    return read_bundle(data)


def test_a_sound_bundle_passes(sound: Bundle, utterances: list[np.ndarray]) -> None:
    found = verify_bundle(sound, utterances, np.arange(24) % 6 % 4)
    assert found.failures() == []
    found.require()
    assert found.utterances == 24
    assert found.uar_offline > 0.9
    assert found.golden_difference < 1e-6
    assert found.runtime.startswith(("ai-edge-litert", "tflite-runtime"))


def test_weights_that_do_not_fit_the_int8_file_are_refused(sound: Bundle, utterances: list[np.ndarray]) -> None:
    weights = sound.weights.copy()
    body = slice(0, sound.manifest.layout.head_slice.start)
    weights[body] = np.random.default_rng(9).permutation(weights[body])
    changed = replace(sound, weights=weights)
    found = verify_bundle(changed, utterances, np.arange(24) % 6 % 4)
    assert found.label_agreement < 0.98
    with pytest.raises(ParityError, match=r"bundle refused: .*label agreement is .*, limit is >= 0.98"):
        found.require()


def test_a_changed_head_is_seen_by_the_golden_clip(sound: Bundle, utterances: list[np.ndarray]) -> None:
    weights = sound.weights.copy()
    weights[-4:] += np.array([5, -5, 0, 0], np.float32)
    with pytest.raises(ParityError, match="golden clip difference"):
        verify_bundle(replace(sound, weights=weights), utterances, np.arange(24) % 6 % 4).require()


def test_another_networks_training_file_is_refused(
    sound: Bundle, dense_payload: bytes, utterances: list[np.ndarray]
) -> None:
    other = replace(sound, training_model=read_bundle(dense_payload).training_model)
    with pytest.raises(ParityError, match="bundle refused: weights for scope head"):
        verify_bundle(other, utterances, np.arange(24) % 6 % 4)


@pytest.mark.parametrize("field", ["streaming_model", "training_model"])
def test_files_that_are_no_models_are_refused(sound: Bundle, utterances: list[np.ndarray], field: str) -> None:
    with pytest.raises(ParityError, match="bundle refused: the runtime refuses the model"):
        verify_bundle(replace(sound, **{field: b"not a model" * 9}), utterances, np.zeros(24, np.int64))


def test_steps_of_another_computation_are_seen(
    sound: Bundle, utterances: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    standardised = [sound.standardise(u) for u in utterances]
    targets = np.arange(24) % 4
    assert step_difference(sound, "head", standardised, targets) < 1e-5
    from overtone_edge.hearing.runtime import TrainingGraph

    honest = TrainingGraph.train

    def careless(self, scope, x, y, weight, *, lr, momentum):  # type: ignore[no-untyped-def]
        return honest(self, scope, x, y, np.ones_like(weight), lr=lr, momentum=momentum)

    monkeypatch.setattr(TrainingGraph, "train", careless)
    assert step_difference(sound, "head", standardised, targets) > 1e-5


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"label_agreement": 0.979}, "label agreement is 0.979, limit is >= 0.98"),
        ({"uar_streaming": 0.58}, "UAR of int8 streaming less offline is -0.02, limit is >= -0.01"),
        ({"uar_streaming": 0.62}, "UAR of int8 streaming less offline is 0.02, limit is <= 0.01"),
        ({"head_step_difference": 2e-5}, "head training difference is 2e-05, limit is <= 1e-05"),
        ({"full_step_difference": math.nan}, "full training difference is nan"),
        ({"golden_difference": 0.03}, "golden clip difference is 0.03, limit is <= 0.02"),
    ],
)
def test_each_limit(change: dict[str, float], text: str) -> None:
    GOOD.require()
    (failure,) = replace(GOOD, **change).failures()
    assert text in failure
    with pytest.raises(ParityError, match="bundle refused"):
        replace(GOOD, **change).require()


def test_json_holds_every_finding() -> None:
    assert GOOD.to_json()["label_agreement"] == 0.99
    assert set(GOOD.to_json()) == set(Verification.__dataclass_fields__)


def test_no_utterances() -> None:
    with pytest.raises(ParityError, match="no utterances"):
        verify_bundle(read_bundle(tiny_bundle()), [], np.zeros(0, np.int64))


def test_equal_arguments_give_an_equal_bundle(payload: bytes) -> None:
    assert tiny_bundle() == payload


def test_building_needs_calibration_and_a_golden_clip() -> None:
    model = tiny_model()
    clip = np.zeros(16_000, np.float32)
    with pytest.raises(ConversionError, match="no calibration utterances"):
        build_bundle(model, [], clip, name="x", version=1)
    calibration = [np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)]
    with pytest.raises(ConversionError, match="golden clip of 1000 samples is shorter than one hop"):
        build_bundle(model, calibration, clip[:1000], name="x", version=1, training_graph=b"-")


def test_bundle_says_where_it_comes_from(payload: bytes) -> None:
    manifest = read_bundle(payload).manifest
    assert manifest.created == "2026-01-01T00:00:00Z"
    assert "int8" in manifest.lineage["quantisation"]
    assert manifest.licence == "none: random weights"
