"""Teachers: how many, alike but for their seeds, and what their opinion does to the network that learns of them."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.errors import TrainingError
from overtone_cloud.training import progress
from overtone_cloud.training.augment import Augmentation
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.parts import groups, set_aside
from overtone_cloud.training.prepared import Prepared, prepare
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.calibration import fit_temperature
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec

LABELS = ("neutral", "sad", "angry")
SETTINGS = TrainSettings(size="S", epochs=3, batch=8, evaluate_every_epochs=1, warmup_steps=3, teachers=2)


@pytest.fixture(scope="module")
def features(voices: Path, cache: Path) -> Features:
    return extract(read_corpus(voices).labelled, EDGE_FRONT_END, GateSpec(), cache=cache)


@pytest.fixture(scope="module")
def outer(features: Features) -> Features:
    return _part(features, "spk01", "spk02", "spk03", "spk04")


@pytest.fixture(scope="module")
def data(outer: Features) -> Prepared:
    return prepare(outer, None, LABELS)


def _part(features: Features, *speakers: str) -> Features:
    return features.where([u.id for u in features.utterances if u.speaker in speakers])


def _speakers(features: Features) -> set[str]:
    return {str(u.speaker) for u in features.utterances}


def test_groups_of_inner_speakers_are_apart(outer: Features) -> None:
    parts = [set_aside(outer, SETTINGS, group) for group in groups(SETTINGS)]
    assert len(parts) == 2
    for train, inner in parts:
        assert _speakers(train) | _speakers(inner) == _speakers(outer)
        assert not _speakers(train) & _speakers(inner)
    assert not _speakers(parts[0][1]) & _speakers(parts[1][1])
    nameless = replace(outer, utterances=tuple(replace(u, speaker=None) for u in outer.utterances))
    inner = [{u.id for u in set_aside(nameless, SETTINGS, group)[1].utterances} for group in (0, 1)]
    assert len(inner[0]) == len(inner[1]) == round(0.15 * len(outer))
    assert not inner[0] & inner[1]


def test_teachers_are_trained_once_and_differ(outer: Features, tmp_path: Path) -> None:
    from overtone_cloud.training import teaching

    folder, reports = RunFolder(tmp_path), []
    model, history = teaching.train(outer, LABELS, SETTINGS, folder, report=reports.append)
    assert [entry.get("teacher") for entry in reports] == [1.0] * 3 + [2.0] * 3 + [None] * 3
    assert ["inner_uar" in entry for entry in reports] == [True] * 6 + [False] * 3
    assert reports[6:] == history
    first, second = (folder.path / f"teacher{number}" / "checkpoint.npz" for number in (1, 2))
    with np.load(first) as one, np.load(second) as other:
        assert not np.array_equal(one["best_weights"], other["best_weights"])
    again, history_again = teaching.train(outer, LABELS, SETTINGS, folder, report=reports.append)
    assert (len(reports), history_again) == (9, history)
    np.testing.assert_array_equal(again.weights, model.weights)
    assert again.calibration == model.calibration


def test_calibration_comes_from_speakers_that_teachers_did_not_hear(
    outer: Features, data: Prepared, tmp_path: Path
) -> None:
    from overtone_cloud.training.trainer import Teaching, Trainer

    settings = replace(SETTINGS, epochs=1)
    teacher = Trainer(
        prepare(*set_aside(outer, SETTINGS), LABELS), replace(settings, teachers=0), RunFolder(tmp_path / "teacher")
    ).run()
    targets = np.arange(90) % 3
    sure = 4.0 * np.eye(3, dtype=np.float32)[np.where(np.arange(90) % 10 < 6, targets, (targets + 1) % 3)]
    taught = Trainer(data, settings, RunFolder(tmp_path / "taught"), Teaching((teacher,), sure, targets)).run()
    assert taught.calibration.temperature == pytest.approx(fit_temperature(sure, targets))
    assert taught.calibration.temperature > 2
    with pytest.raises(TrainingError, match="no inner speakers and no teachers"):
        Trainer(data, settings, RunFolder(tmp_path / "alone")).run()


def test_a_network_learns_its_teachers_opinion(outer: Features, data: Prepared, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Teaching, Trainer
    from overtone_models.networks import edge_tcn

    inside = prepare(*set_aside(outer, SETTINGS), LABELS)
    teacher = Trainer(inside, replace(SETTINGS, teachers=0), RunFolder(tmp_path / "teacher")).run()
    named = teacher.network.layout.unflatten(np.zeros_like(teacher.weights))
    named["head/b"] = np.array([0.0, 0.0, 9.0], np.float32)
    stubborn = replace(teacher, weights=teacher.network.layout.flatten(named))
    settings = replace(SETTINGS, epochs=12, teacher_weight=1.0)
    teaching = Teaching((stubborn,), np.eye(3, dtype=np.float32), np.arange(3))
    taught = Trainer(data, settings, RunFolder(tmp_path / "taught"), teaching).run()
    logits = edge_tcn.logits(taught.network, taught.weights, inside.inner_utterances())
    assert (logits.argmax(1) == 2).all()


def test_teachers_hear_as_recorded_what_the_network_hears_under_conditions(
    outer: Features, data: Prepared, tmp_path: Path
) -> None:
    from overtone_cloud.training.trainer import Teaching, Trainer

    off = Augmentation(**{field.name: 0 for field in fields(Augmentation)})
    around = replace(data, views=tuple((np.full_like(x, 99.0),) for x in data.train.log_mels))
    settings = replace(SETTINGS, augmentation=replace(off, conditioned=0.5), epochs=1)
    inside = prepare(*set_aside(outer, SETTINGS), LABELS)
    teacher = Trainer(inside, replace(settings, teachers=0), RunFolder(tmp_path / "teacher")).run()
    teaching = Teaching((teacher,), np.eye(3, dtype=np.float32), np.arange(3))
    trainer = Trainer(around, settings, RunFolder(tmp_path / "taught"), teaching)
    rows = np.arange(len(data.train))
    x, _, _, clear, clear_counts = trainer.batches.batch(rows, np.random.default_rng(0))
    conditioned = x[:, 0, 0] == 99.0
    assert 0.2 < conditioned.mean() < 0.8
    assert not (clear[:, 0, 0] == 99.0).any()
    np.testing.assert_array_equal(clear[~conditioned], x[~conditioned])
    for row in np.flatnonzero(conditioned):
        most = clear_counts[row]
        np.testing.assert_array_equal(clear[row, :most], data.train.log_mels[row][:most])


def test_seeds_of_teachers_are_their_own() -> None:
    from overtone_cloud.training.teaching import teacher_seed

    seeds = [teacher_seed(seed, number) for seed in range(5) for number in range(1, 6)]
    assert len({*seeds, *range(100)}) == 125
    assert TrainSettings(seed=max(seeds)).seed == max(seeds)


def test_a_few_lines_of_each_network() -> None:
    said: list[str] = []
    report = progress.lines(said.append, 10, 2)
    for epoch in range(1, 11):
        report({"epoch": epoch, "loss": 1.25, "teacher": 1.0})
    report({"epoch": 10.0, "loss": 1.0, "inner_uar": 0.5})
    assert said == [
        "teacher 1, epoch 5 of 10, loss 1.25",
        "teacher 1, epoch 10 of 10, loss 1.25",
        "epoch 10 of 10, loss 1.00, inner UAR 50.0 %",
    ]
