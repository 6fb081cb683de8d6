"""The whole path on speech: train, convert, verify; in seconds on synthetic voices, in minutes on RAVDESS."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Overtone = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(3600)
def test_ravdess_reaches_its_mark_on_unseen_actors(overtone: Overtone, speech_data: Path, tmp_path: Path) -> None:
    """8 classes, 15 actors train, 3 others test: mean UAR of 3 seeds is at least 58 %; int8 loses nothing."""
    run = tmp_path / "ravdess"
    words = ("--test-speakers", "16,17,18", "--seeds", 3, "--cache", tmp_path / "cache", "--json")
    status, out, _ = overtone("train", speech_data / "ravdess", "--out", run, *words)
    assert status == 0
    summary = json.loads(out)
    assert summary["seeds"] == 3
    assert summary["speakers_shared"] is False
    assert summary["uar_mean"] >= 0.58
    for seed in range(3):
        words = ("--out", tmp_path / f"{seed}.bundle", "--cache", tmp_path / "cache", "--json")
        status, out, _ = overtone("convert", run / f"seed{seed}", *words)
        assert status == 0
        found = json.loads(out)
        assert found["utterances"] == 180
        assert found["label_agreement"] >= 0.98
        assert abs(found["uar_streaming"] - found["uar_offline"]) <= 0.01


@pytest.mark.data
def test_int8_streaming_decides_as_the_offline_network_on_real_speech(
    overtone: Overtone, speech_data: Path, tmp_path: Path
) -> None:
    """A small network that has really learned, on actors it has never heard."""
    corpus = tmp_path / "corpus"
    for actor in (1, 2, 3, 4, 5, 6):
        source = speech_data / "ravdess" / f"Actor_{actor:02d}"
        (corpus / source.name).mkdir(parents=True)
        for path in sorted(source.iterdir()):
            if path.name.split("-")[2] in ("01", "03", "04", "05"):
                (corpus / source.name / path.name).symlink_to(path)
    (tmp_path / "short.toml").write_text("batch = 8\nevaluate_every_epochs = 4\nwarmup_steps = 10\n")
    words = ("--size", "S", "--epochs", 40, "--config", tmp_path / "short.toml", "--test-speakers", "5,6")
    cache = ("--cache", tmp_path / "cache")
    status, out, _ = overtone("train", corpus, "--out", tmp_path / "run", *words, *cache, "--json")
    assert status == 0
    assert json.loads(out)["uar_mean"] > 0.35
    status, out, err = overtone("convert", tmp_path / "run", "--out", tmp_path / "b", *cache, "--json")
    assert status == 0, out + err
    found = json.loads(out)
    assert found["utterances"] == 56
    assert found["label_agreement"] >= 0.98
    assert found["uar_streaming"] == pytest.approx(found["uar_offline"], abs=0.01)


def test_int8_streaming_decides_as_the_offline_network_on_synthetic_voices(
    trained: Path, voices: Path, cache: Path
) -> None:
    from overtone_cloud.bundles.sources import calibration_utterances, golden
    from overtone_cloud.training.experiment import divide, load_plan, read_features
    from overtone_cloud.training.run_folder import RunFolder
    from overtone_converters.build import build_bundle
    from overtone_converters.verify import streaming_probabilities
    from overtone_models.bundle import read_bundle
    from overtone_models.networks import edge_tcn

    plan, settings = load_plan(RunFolder(trained))
    model = RunFolder(trained).load_model()
    _, features = read_features(plan, cache=cache)
    train, inner, test = divide(features, plan.run_fold, settings)
    calibration = calibration_utterances(train, cache=cache)
    data = build_bundle(model, calibration, golden(), name="x", version=1, training_graph=b"not used here")
    heard = [part.mfcc(i) for part in (inner, test) for i in range(len(part))]
    streamed = streaming_probabilities(read_bundle(data), heard)
    logits = edge_tcn.logits(model.network, model.weights, [model.standardise(mfcc) for mfcc in heard])
    offline = model.calibration.probabilities(logits)
    assert (streamed.argmax(1) == offline.argmax(1)).mean() >= 0.95
    assert np.abs(streamed - offline).mean() < 0.03
