"""The aggregator's hands: measuring weights on test speakers, and releasing them as a signed bundle."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.bundles import committed_bundles
from tests.support.tiny_models import tiny_bundle

from overtone_cloud.aggregator.config import (
    AggregatorConfig,
    EvaluationConfig,
    FleetConfig,
    ModelConfig,
    MqttConfig,
    ServerConfig,
)
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.publisher import model_of, release_parts
from overtone_cloud.aggregator.rounds import RoundConfig
from overtone_cloud.bundles.sources import load_bundle
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.splits import make_split
from overtone_converters.signing import make_keys, sign_bundle
from overtone_models.bundle import read_bundle

LABELS = ("neutral", "sad", "angry")


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, voices: Path) -> AggregatorConfig:
    """An aggregator's configuration with a tiny signed model and the synthetic voices."""
    folder = tmp_path_factory.mktemp("release")
    make_keys(folder / "keys")
    data = sign_bundle(tiny_bundle(LABELS), name="tiny", version=1, keys=folder / "keys")
    (folder / "first.bundle").write_bytes(data)
    return AggregatorConfig(
        aggregator=FleetConfig(fleet="home", state_dir=folder / "state"),
        mqtt=MqttConfig(host="127.0.0.1"),
        model=ModelConfig(bundle=folder / "first.bundle", keys=folder / "keys", out=folder / "out"),
        evaluation=EvaluationConfig(corpus=voices, test_speakers=("spk05", "spk06"), max_utterances=12),
        server=ServerConfig(),
        round=RoundConfig(),
    )


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("OVERTONE_CACHE", str(cache))


def test_first_model_is_the_bundles(setting: AggregatorConfig) -> None:
    _, _, first = release_parts(setting)
    bundle = load_bundle(setting.model.bundle)
    np.testing.assert_array_equal(first.weights, bundle.weights)
    assert first.version == 1
    assert first.front_end == bytes.fromhex(bundle.manifest.front_end.digest)


def test_weights_are_measured_on_the_test_speakers(setting: AggregatorConfig) -> None:
    evaluator, _, first = release_parts(setting)
    found = evaluator.evaluate(first.weights)
    assert found.n == 12
    assert 0.0 <= found.uar <= 1.0
    silent = evaluator.evaluate(np.zeros_like(first.weights))
    assert silent.loss == pytest.approx(np.log(3), abs=1e-4)
    assert silent.uar == pytest.approx(1 / 3)


def test_speech_that_is_taken_for_a_sound_is_not_recognised(setting: AggregatorConfig) -> None:
    evaluator, _, first = release_parts(setting)
    plain = evaluator.evaluate(first.weights)
    manifest = evaluator.bundle.manifest
    for speech, uar in ((-100.0, plain.uar), (100.0, 0.0)):
        calibration = replace(manifest.calibration, speech=speech)
        asked = replace(
            evaluator, bundle=replace(evaluator.bundle, manifest=replace(manifest, calibration=calibration))
        )
        found = asked.evaluate(first.weights)
        assert found.uar == uar
        assert (found.loss == pytest.approx(plain.loss, abs=1e-4)) == (speech < 0)


def test_weights_that_cannot_be_measured(setting: AggregatorConfig) -> None:
    evaluator, _, first = release_parts(setting)
    for weights in (np.full_like(first.weights, np.inf), first.weights[:-1]):
        with pytest.raises(ReleaseError, match="the new weights cannot be evaluated"):
            evaluator.evaluate(weights)


def test_a_release_is_signed_newer_and_says_where_it_comes_from(setting: AggregatorConfig) -> None:
    _, publisher, first = release_parts(setting)
    weights = (first.weights * np.float32(0.9)).astype(np.float32)
    path = publisher.publish(weights, round_number=3, version=2)
    released = load_bundle(path, setting.model.keys / "root.json")
    np.testing.assert_array_equal(released.weights, weights)
    assert (released.manifest.version, released.manifest.base_round) == (2, 3)
    assert released.manifest.lineage["rounds"] == "3"
    assert released.manifest.lineage["base_weights"] == load_bundle(setting.model.bundle).base
    assert released.manifest.layout == first.layout
    assert released.training_model == load_bundle(setting.model.bundle).training_model


def test_weights_that_cannot_be_released(setting: AggregatorConfig) -> None:
    _, publisher, first = release_parts(setting)
    with pytest.raises(ReleaseError, match=r"version 2 cannot be released: .*not finite"):
        publisher.publish(np.full_like(first.weights, np.nan), round_number=1, version=2)
    with pytest.raises(ReleaseError, match="version 0 cannot be released"):
        publisher.publish(first.weights, round_number=1, version=0)
    with pytest.raises(ReleaseError, match="cannot read"):
        replace(publisher, keys=Path("nowhere")).publish(first.weights, round_number=1, version=2)


@pytest.mark.parametrize(
    "change",
    [
        {"bundle": Path("nowhere.bundle")},
        {"keys": Path("nowhere")},
    ],
)
def test_a_model_that_is_not_there(setting: AggregatorConfig, change: dict[str, Path]) -> None:
    with pytest.raises(ReleaseError, match="cannot read nowhere"):
        release_parts(replace(setting, model=replace(setting.model, **change)))


def test_a_corpus_that_does_not_fit(setting: AggregatorConfig, tmp_path: Path) -> None:
    for change, text in (
        ({"test_speakers": ("nobody",)}, "unknown speaker 'nobody'"),
        ({"corpus": tmp_path / "nowhere"}, "nowhere"),
    ):
        with pytest.raises(ReleaseError, match=text):
            release_parts(replace(setting, evaluation=replace(setting.evaluation, **change)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("speaker", r"split\.json: evaluation needs a split of 1 fold \(--kind holdout\), it has 3"),
        ("random", r"split\.json: evaluation needs test speakers that are in no other part"),
        ("stale", r"split\.json: split was made for another state of the corpus"),
    ],
)
def test_a_split_that_does_not_fit(setting: AggregatorConfig, tmp_path: Path, kind: str, text: str) -> None:
    utterances = read_corpus(setting.evaluation.corpus).utterances
    if kind == "speaker":
        split = make_split(utterances, "speaker", folds=3)
    elif kind == "random":
        split = make_split(utterances, "random")
        split = replace(split, folds=split.folds[:1])
    else:
        split = make_split(utterances[:-1], "holdout", test_speakers=["spk05"])
    split.save(tmp_path / "split.json")
    evaluation = replace(setting.evaluation, split=tmp_path / "split.json", test_speakers=())
    with pytest.raises(ReleaseError, match=text):
        release_parts(replace(setting, evaluation=evaluation))


def test_a_split_that_fits(setting: AggregatorConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = make_split(read_corpus(setting.evaluation.corpus).utterances, "holdout", test_speakers=["spk05"])
    split.save(tmp_path / "split.json")
    evaluator, _, _ = release_parts(
        replace(setting, evaluation=replace(setting.evaluation, split=tmp_path / "split.json", test_speakers=()))
    )
    assert len(evaluator.targets) == 12
    assert "was trained on" not in caplog.text


@pytest.mark.parametrize("tested", ["spk05", "spk06"])
def test_a_model_that_heard_the_test_speakers_is_told(
    setting: AggregatorConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture, tested: str
) -> None:
    reading = read_corpus(setting.evaluation.corpus)
    split = make_split(reading.utterances, "holdout", test_speakers=["spk05"])
    bundle = load_bundle(setting.model.bundle)
    lineage = {"training_data_digest": reading.digest, "split": split.describe(), "fold": "holdout"}
    lineage |= {"training_data": reading.corpus}
    if tested == "spk06":
        lineage["fold"] = "fold 1"
    data = replace(bundle, manifest=replace(bundle.manifest, lineage=lineage)).to_bytes()
    path = tmp_path / "heard.bundle"
    path.write_bytes(sign_bundle(data, name="tiny", version=1, keys=setting.model.keys))
    evaluation = replace(setting.evaluation, test_speakers=(tested,))
    release_parts(replace(setting, model=replace(setting.model, bundle=path), evaluation=evaluation))
    assert ("its training data may include the test speakers" in caplog.text) is (tested == "spk06")


def test_what_could_not_be_signed_is_refused_at_the_start(setting: AggregatorConfig, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(setting.model.keys, keys)
    (keys / "targets.pem").unlink()
    with pytest.raises(ReleaseError, match=r"cannot read .*targets\.pem"):
        release_parts(replace(setting, model=replace(setting.model, keys=keys)))


def test_what_a_bundle_was_made_of() -> None:
    bundle = read_bundle(committed_bundles()["tiny-1"])
    model = model_of(bundle)
    np.testing.assert_array_equal(model.weights, bundle.weights)
    assert (model.labels, model.licence) == (bundle.manifest.labels, bundle.manifest.licence)
