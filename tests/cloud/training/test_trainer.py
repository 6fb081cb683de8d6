"""The trainer: what it learns from, when it stops, and that it needs something to learn from."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.conditions.read_speech import read_speech
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.training.augment import Augmentation
from overtone_cloud.training.calibration_fit import pieces, sound_logits
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.inputs import Surroundings, gated_sounds, prepare, surroundings
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_cloud.training.trainer import fit
from overtone_models.calibration import Calibration
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec

LABELS = ("neutral", "sad", "angry")
SETTINGS = TrainSettings(size="S", epochs=4, batch=8, evaluate_every_epochs=1, warmup_steps=3)


@pytest.fixture(scope="module")
def features(voices: Path, cache: Path) -> Features:
    return extract(read_corpus(voices).labelled, EDGE_FRONT_END, GateSpec(), cache=cache)


def part(features: Features, *speakers: str) -> Features:
    return features.where([u.id for u in features.utterances if u.speaker in speakers])


def test_standardisation_sees_the_training_part_only(features: Features) -> None:
    train = part(features, "spk01", "spk02")
    data = prepare(train, part(features, "spk03"), LABELS)
    frames = np.concatenate([data.standardise(train.mfcc(i)) for i in range(len(train))])
    np.testing.assert_allclose(frames.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(frames.std(0), 1.0, atol=1e-3)
    other = prepare(train, part(features, "spk04"), LABELS)
    np.testing.assert_array_equal(other.mean, data.mean)


@pytest.mark.parametrize("n_mfcc", [64, 40])
def test_the_network_is_trained_on_bands_and_given_mfcc(features: Features, n_mfcc: int) -> None:
    spec = replace(features.front_end, n_mfcc=n_mfcc)
    train = replace(part(features, "spk01", "spk02"), front_end=spec)
    data = prepare(train, part(features, "spk03"), LABELS)
    bands = data.standardise(train.mfcc(0)) @ data.bands
    decibels = np.concatenate(train.log_mels)
    expected = (train.log_mels[0] - decibels.mean(0)) / decibels.std(0)
    if n_mfcc == spec.n_mels:
        np.testing.assert_allclose(bands, expected, atol=2e-3)
    else:
        assert np.corrcoef(bands.ravel(), expected.ravel())[0, 1] > 0.95


def test_parts_that_cannot_train(features: Features) -> None:
    with pytest.raises(TrainingError, match="24 training and 0 inner utterances"):
        prepare(part(features, "spk01", "spk02"), part(features), LABELS)
    with pytest.raises(TrainingError, match="0 training and 0 inner utterances"):
        prepare(part(features), None, LABELS)
    with pytest.raises(TrainingError, match="no training utterance has the label 'happy'"):
        prepare(part(features, "spk01"), part(features, "spk02"), (*LABELS, "happy"))


def test_the_best_inner_loss_is_kept_and_reported(features: Features, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer
    from overtone_models.calibration import fit_temperature, negative_log_likelihood
    from overtone_models.networks import edge_tcn

    data = prepare(part(features, "spk01", "spk02", "spk03"), part(features, "spk04"), LABELS)
    trainer, reports = Trainer(data, SETTINGS, RunFolder(tmp_path)), []
    model = trainer.run(reports.append)
    assert reports == trainer.history
    best = min(entry["inner_loss"] for entry in trainer.history)
    logits = edge_tcn.logits(model.network, model.weights, data.utterances_of(data.inner))
    temperature = fit_temperature(logits, data.inner_targets)
    assert negative_log_likelihood(logits, data.inner_targets, temperature) == pytest.approx(best, abs=1e-5)
    assert model.calibration.temperature == pytest.approx(temperature ** (1 / 3))  # one speaker, who counts little
    assert trainer.history[trainer.best_epoch - 1]["inner_loss"] == pytest.approx(best)


def test_training_stops_when_the_inner_speakers_gain_no_more(features: Features, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer

    data = prepare(part(features, "spk01", "spk02"), part(features, "spk04"), LABELS)
    trainer = Trainer(data, replace(SETTINGS, epochs=50, patience_epochs=2), RunFolder(tmp_path))
    losses = iter([1.0, 0.9, 0.95, 0.96, 0.5])

    def judged() -> dict[str, float]:
        loss = next(losses)
        if loss <= trainer.best_loss:
            trainer.best_loss, trainer.best_epoch = loss, trainer.epoch
        return {"inner_uar": 0.0, "inner_loss": loss}

    trainer._evaluate_inner = judged  # type: ignore[method-assign]
    trainer._run_epoch = lambda: 1.0  # type: ignore[method-assign]
    trainer.run()
    assert trainer.epoch == 4
    assert trainer.best_epoch == 2


def test_a_speaker_with_many_utterances_is_heard_no_more_than_the_limit(features: Features, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer

    train = part(features, "spk01", "spk02", "spk03")
    few = set(list(np.flatnonzero([u.speaker == "spk03" for u in train.utterances]))[2:])
    uneven = train.where([u.id for row, u in enumerate(train.utterances) if row not in few])
    data = prepare(uneven, part(features, "spk04"), LABELS)
    trainer = Trainer(data, replace(SETTINGS, speaker_utterances=5), RunFolder(tmp_path))
    orders = [trainer.batches.order(np.random.default_rng(seed)) for seed in range(20)]
    for order in orders:
        heard = [uneven.utterances[row].speaker for row in order]
        assert {who: heard.count(who) for who in heard} == {"spk01": 5, "spk02": 5, "spk03": 2}
        assert len(set(order.tolist())) == len(order)
    assert set(np.concatenate(orders).tolist()) == set(range(len(uneven)))


def test_sounds_are_of_no_emotion(features: Features, sounds: Path, cache: Path, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer
    from overtone_models.networks import edge_tcn

    settings = replace(SETTINGS, sounds_per_batch=3)
    around = surroundings(sounds, settings)
    data = prepare(part(features, "spk01"), part(features, "spk04"), LABELS, around, cache=cache)
    assert len(data.sounds) == len(around.sounds)
    assert len(data.calibration_sounds) == len(around.calibration)
    assert all(len(views) == len(around.conditions) for views in data.views)
    trainer = Trainer(data, settings, RunFolder(tmp_path))
    x, counts, y = trainer.batches.batch(np.arange(8), np.random.default_rng(0))
    assert len(x) == len(counts) == len(y) == 11
    assert (y[:8].max(1) == 1.0).all()
    assert (y[8:] == 0.0).all()
    model = trainer.run()
    assert np.isfinite(model.weights).all()
    said = model.calibration.probabilities(sound_logits(model, data.calibration_sounds)).max(1)
    unheard = model.calibration.probabilities(edge_tcn.logits(trainer.spec, model.weights, trainer._inner)).max(1)
    silenced = (said < model.calibration.threshold).mean()
    decided = (unheard >= model.calibration.threshold).mean()
    assert decided >= 0.1
    assert silenced >= settings.no_decision_sounds or decided <= 0.25  # two of eight: a tenth, and the next


def test_read_speech_trains_as_neutral_by_speakers_of_its_own(
    features: Features, sounds: Path, cache: Path, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, neutral_speech=True)
    with pytest.raises(ConfigError, match=r"neutral_speech is true, but no folder of read speech is given \(--speech"):
        surroundings(None, settings)
    for speaker in range(8):  # what is read does not matter here: the corpus' own voices
        shutil.copy(part(features, "spk02").utterances[speaker].path, tmp_path / f"{speaker}-1-0000.wav")
    around = surroundings(None, settings, tmp_path)
    assert around.speech == read_speech(tmp_path).training
    assert surroundings(None, SETTINGS, tmp_path).speech == ()
    train, inner = part(features, "spk01"), part(features, "spk04")
    data = prepare(train, inner, LABELS, around, cache=cache)
    added = data.train.utterances[len(train) :]
    assert [u.path for u in added] == list(around.speech)
    assert {u.label for u in added} == {"neutral"}
    assert len(data.views) == len(data.train) == len(train) + len(around.speech)
    assert len(data.rows_by_speaker()) == 1 + len(around.speech)
    with pytest.raises(ConfigError, match="neutral_speech needs the label 'neutral'; the labels are"):
        prepare(train.where([u.id for u in train.utterances if u.label != "neutral"]), inner, LABELS[1:], around)


def test_the_mean_of_the_logits_learns_to_tell_speech_from_sounds(
    features: Features, sounds: Path, cache: Path, tmp_path: Path
) -> None:
    from overtone_models.networks import edge_tcn

    settings = replace(SETTINGS, sounds_per_batch=4, epochs=30, inner_fraction=0.0, evaluate_every_epochs=30)
    around = surroundings(sounds, settings)
    outer, unheard = part(features, "spk01", "spk02"), part(features, "spk04")
    model, _ = fit(outer, LABELS, settings, RunFolder(tmp_path), around=around, cache=cache)
    speech = [model.standardise(unheard.mfcc(row)) for row in range(len(unheard))]
    of_speech = edge_tcn.logits(model.network, model.weights, speech).mean(1)
    of_sounds = sound_logits(model, gated_sounds(outer, around.sounds, cache)).mean(1)
    assert of_speech.min() > 0.0
    assert np.median(of_sounds) < 0.0
    assert model.calibration.speech is not None


def test_without_inner_speakers_all_are_trained_on_to_the_last_epoch(
    features: Features, sounds: Path, cache: Path, tmp_path: Path
) -> None:
    from overtone_models.networks import edge_tcn

    settings = replace(SETTINGS, inner_fraction=0.0, patience_epochs=1, evaluate_every_epochs=1)
    around = surroundings(sounds, settings)
    outer = part(features, "spk01", "spk02")
    model, history = fit(outer, LABELS, settings, RunFolder(tmp_path / "a"), around=around, cache=cache)
    assert [entry["epoch"] for entry in history] == [1.0, 2.0, 3.0, 4.0]
    assert "inner_uar" not in history[-1]
    assert model.calibration.temperature == 1.0
    kept = gated_sounds(outer, around.calibration, cache)
    said = model.calibration.probabilities(sound_logits(model, kept)).max(1)
    heard = [model.standardise(outer.mfcc(row)) for row in range(len(outer))]
    trained = model.calibration.probabilities(edge_tcn.logits(model.network, model.weights, heard)).max(1)
    decided = (trained >= model.calibration.threshold).mean()
    assert decided >= 0.1
    assert (said < model.calibration.threshold).mean() >= 0.98 or decided <= 0.2
    quiet, _ = fit(outer, LABELS, settings, RunFolder(tmp_path / "b"))
    assert quiet.calibration == Calibration(threshold=0.4)


def test_pieces_of_a_sound_are_its_last_seconds_every_half_second() -> None:
    sound = np.arange(350, dtype=np.float32)[:, None]
    spans = [(int(p[0, 0]), len(p)) for p in pieces(sound, EDGE_FRONT_END)]
    assert spans == [(0, 40), (0, 80), (0, 120), (0, 160), (0, 200), (0, 240), (40, 240), (80, 240), (110, 240)]


def test_sounds_and_conditions_can_be_left_out(sounds: Path) -> None:
    off = replace(SETTINGS, sounds_per_batch=0, augmentation=Augmentation(conditioned=0.0))
    assert surroundings(sounds, off) == Surroundings()
    assert [c.name for c in surroundings(None, SETTINGS).conditions] == [
        "far microphone",
        "far microphone",
        "telephone",
    ]
    assert surroundings(None, SETTINGS).sounds == ()


def test_a_short_training_and_a_compiled_one_are_the_same(
    features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overtone_cloud.training import trainer

    data = prepare(part(features, "spk01"), part(features, "spk04"), LABELS)
    plain = trainer.Trainer(data, replace(SETTINGS, dropout=0.0), RunFolder(tmp_path / "plain")).run()
    monkeypatch.setattr(trainer, "COMPILED_FROM", 0)
    compiled = trainer.Trainer(data, replace(SETTINGS, dropout=0.0), RunFolder(tmp_path / "compiled")).run()
    np.testing.assert_allclose(compiled.weights, plain.weights, atol=2e-3)


def test_a_loss_that_is_no_number_ends_the_training(features: Features, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer

    data = prepare(part(features, "spk01", "spk02"), part(features, "spk04"), LABELS)
    trainer = Trainer(data, SETTINGS, RunFolder(tmp_path))
    trainer._step = lambda *_: np.nan  # type: ignore[assignment]
    with pytest.raises(TrainingError, match="the loss of epoch 1 is not finite: lower learning_rate"):
        trainer.run()


def test_a_checkpoint_of_another_network_is_refused(features: Features, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer

    data = prepare(part(features, "spk01", "spk02"), part(features, "spk04"), LABELS)
    Trainer(data, replace(SETTINGS, epochs=1), RunFolder(tmp_path)).run()
    with pytest.raises(TrainingError, match=r"checkpoint .* is of another network"):
        Trainer(data, replace(SETTINGS, separable=False), RunFolder(tmp_path)).run()


def test_fewer_utterances_than_a_batch(features: Features, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer

    data = prepare(part(features, "spk01"), part(features, "spk04"), LABELS)
    model = Trainer(data, replace(SETTINGS, batch=64, epochs=1), RunFolder(tmp_path)).run()
    assert np.isfinite(model.weights).all()
