"""Normalisation, the three strategies on made tracks, the leak, and the saved networks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_converters.window_network import load_network
from overtone_models.window_model import load_test
from overtone_papers.common.study import Study
from overtone_papers.fusion.data import SYSTEMS, Settings, inputs, padded, track_scaler
from overtone_papers.fusion.experiment import run_corpus
from overtone_papers.fusion.folds import make
from overtone_papers.fusion.training import FoldTrainer, WarmUp

Make = Callable[..., Any]
SETTINGS = Settings(folds=2, script_folds=2, tested_folds=2, epochs=6, fusion_epochs=8, batch=16, learning_rate=5e-3)


def test_differences_are_scaled_by_what_they_are_differences_of() -> None:
    rng = np.random.default_rng(1)
    tracks = [(7 + 2 * rng.normal(size=(50, 36))).astype(np.float32) for _ in range(3)]
    scaler = track_scaler(tracks)
    mean, std = scaler.mean, scaler.std
    static = np.concatenate(tracks)[:, :18]
    np.testing.assert_allclose(mean[:18], static.mean(0), rtol=1e-5)
    assert not mean[18:].any()
    np.testing.assert_array_equal(std[18:], std[:18])
    scaled = (tracks[0] - mean) / std
    differences = np.diff(tracks[0][:, :18], axis=0) / std[:18]
    np.testing.assert_allclose(np.diff(scaled[:, :18], axis=0), differences, atol=1e-5)


def test_the_normalisation_sees_the_training_part_only(utterances: Make, made_data: Make) -> None:
    data = made_data(utterances())
    fold = make("made", data.utterances, "speaker", SETTINGS)[1][0]
    arrays = inputs(data, fold)
    scaler = track_scaler([data.tracks[row] for row in data.rows(fold.train)])
    np.testing.assert_array_equal(arrays.scaler.mean, scaler.mean)
    assert arrays.x["audio"][0].shape == (len(fold.train), max(map(len, data.tracks)), 36)
    row = arrays.rows[1][0]
    length = len(data.tracks[row])
    np.testing.assert_allclose(arrays.x["audio"][1][0, :length], scaler(data.tracks[row]), atol=1e-5)
    assert not arrays.x["audio"][1][0, length:].any()


def test_padding_raw_with_the_mean_standardises_to_zero() -> None:
    mean, std = np.array([3.3, -2.0], np.float32), np.array([0.7, 5.0], np.float32)
    raw = padded([np.ones((2, 2), np.float32)], 4, mean)
    np.testing.assert_array_equal((raw[0, 2:] - mean) / std, 0.0)


def test_the_rate_grows_for_forty_steps() -> None:
    rate = WarmUp(7e-4, 40)
    np.testing.assert_allclose([float(rate(step)) for step in (0, 20, 40, 400)], [0, 3.5e-4, 7e-4, 7e-4], rtol=1e-6)


@pytest.mark.slow
def test_every_fusion_learns_what_the_tracks_tell(utterances: Make, made_data: Make) -> None:
    data = made_data(utterances(speakers=2, scripts=4, per_script=4), heard=3.0)
    fast = replace(SETTINGS, epochs=12, fusion_epochs=12, warmup_steps=4, fine_tuning_rate=5e-3)
    fold = make("made", data.utterances, "speaker", fast)[1][0]
    result = FoldTrainer(data, fold, fast, seed=0, scale=0.25).results(("audio", "encoder", *SYSTEMS))
    y = np.array(result["y"])
    right = {name: float((np.argmax(one["probabilities"], 1) == y).mean()) for name, one in result["systems"].items()}
    assert right.pop("encoder") == pytest.approx(0.25, abs=0.15)
    assert min(right.values()) > 0.6, right


def test_a_pretrained_fusion_keeps_its_branches(utterances: Make, made_data: Make) -> None:
    data = made_data(utterances(speakers=2, scripts=2, per_script=2))
    fold = make("made", data.utterances, "speaker", SETTINGS)[1][0]
    trainer = FoldTrainer(data, fold, SETTINGS, seed=0, scale=0.1)
    audio = trainer.train("audio").model
    for system, layer, twin in (
        ("EF-PT", "audio_conv1", "audio_conv1"),
        ("LF-PT", "audio_logits", "head"),
        ("EF-WS", "audio_conv0", "audio_conv0"),
    ):
        fused = trainer.train(system).model
        for ours, theirs in zip(kernels(fused, layer), kernels(audio, twin), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    warm = kernels(trainer.train("EF-WS").model, "audio_conv1")
    assert np.any(warm[0] != kernels(audio, "audio_conv1")[0])


def kernels(model: Any, layer: str) -> list[Any]:
    weights: list[Any] = model.get_layer(layer).get_weights()
    return weights


def test_equal_seeds_give_equal_figures(utterances: Make, made_data: Make) -> None:
    data = made_data(utterances(speakers=2, scripts=2, per_script=1))
    fold = make("made", data.utterances, "speaker", SETTINGS)[1][0]
    one, two, other = (
        FoldTrainer(data, fold, SETTINGS, seed=seed, scale=0.1).results(("audio",))["systems"]["audio"]["probabilities"]
        for seed in (0, 0, 1)
    )
    assert one == two
    assert one != other


@pytest.mark.slow
def test_scripts_that_go_with_classes_leak_until_the_folds_part_them(
    utterances: Make, made_data: Make, tmp_path: Path
) -> None:
    """The paper's warning: text that tells the script only looks good wherever scripts are shared."""
    data = made_data(utterances(speakers=2, scripts=16, per_script=2, fixed=False), heard=0.0, frames=6)
    study = Study(system="D", readings={}, parts=("folds",), out=tmp_path)
    result = run_corpus(study, SETTINGS, data)
    areas = {name: {s: o.auc[0] for s, o in own.items()} for name, own in result.outcomes.items()}
    for system in ("encoder", "look-up"):
        assert min(areas["random"][system], areas["speaker"][system]) > 0.95
        assert areas["speaker-script"][system] < 0.75
    assert result.scripts == {"scripts": 16, "in_every_class": 0, "utterances": 64}


@pytest.mark.slow
def test_saved_networks_answer_as_the_trained_ones(utterances: Make, made_data: Make, tmp_path: Path) -> None:
    data = made_data(utterances(speakers=2, scripts=4, per_script=1))
    fold = make("made", data.utterances, "speaker", SETTINGS)[1][0]
    systems = ("audio", "encoder", "EF-WS", "LF-PT")
    result = FoldTrainer(data, fold, SETTINGS, seed=0).results(systems, folder=tmp_path, split="by speaker")
    for network, system in {"d-audio": "audio", "d-text": "encoder", "d-early": "EF-WS", "d-late": "LF-PT"}.items():
        folder = tmp_path / f"{network}-made"
        loaded = load_network(folder)
        raw, y = load_test(folder)
        assert len(raw[0]) == len(y)
        logits = loaded.logits(loaded.test)
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        order = np.random.default_rng(0)
        rows = [part.tolist() for part in inputs(data, fold).rows]
        order.permutation(rows[0])
        shown = [rows[1].index(row) for row in order.permutation(rows[1])]
        expected = np.array(result["systems"][system]["probabilities"])[shown]
        np.testing.assert_allclose(probabilities, expected, atol=1e-4)
        np.testing.assert_array_equal(y, np.array(result["y"])[shown])
        assert loaded.model.split == "by speaker"
