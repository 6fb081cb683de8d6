"""Teachers: how many, alike but for their seeds, and what their opinion does to the network that learns of them."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.training import progress
from overtone_cloud.training.augment import Augmentation
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.prepared import Prepared, prepare
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec

LABELS = ("neutral", "sad", "angry")
SETTINGS = TrainSettings(size="S", epochs=3, batch=8, evaluate_every_epochs=1, warmup_steps=3, teachers=2)


@pytest.fixture(scope="module")
def data(voices: Path, cache: Path) -> Prepared:
    features = extract(read_corpus(voices).labelled, EDGE_FRONT_END, GateSpec(), cache=cache)
    return prepare(_part(features, "spk01", "spk02"), _part(features, "spk03"), LABELS)


def _part(features: Features, *speakers: str) -> Features:
    return features.where([u.id for u in features.utterances if u.speaker in speakers])


def test_teachers_are_trained_once_and_differ(data: Prepared, tmp_path: Path) -> None:
    from overtone_cloud.training import teaching

    folder, reports = RunFolder(tmp_path), []
    model, history = teaching.train(data, SETTINGS, folder, reports.append)
    assert [entry.get("teacher") for entry in reports] == [1.0] * 3 + [2.0] * 3 + [None] * 3
    assert reports[6:] == history
    first, second = (folder.path / f"teacher{number}" / "checkpoint.npz" for number in (1, 2))
    with np.load(first) as one, np.load(second) as other:
        assert not np.array_equal(one["best_weights"], other["best_weights"])
    again, reports_again = teaching.train(data, SETTINGS, folder, reports.append)
    assert (len(reports), reports_again) == (9, history)
    np.testing.assert_array_equal(again.weights, model.weights)


def test_a_network_learns_its_teachers_opinion(data: Prepared, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer
    from overtone_models.networks import edge_tcn

    teacher = Trainer(data, replace(SETTINGS, teachers=0), RunFolder(tmp_path / "teacher")).run()
    weights = np.zeros_like(teacher.weights)
    named = teacher.network.layout.unflatten(weights)
    named["head/b"] = np.array([0.0, 0.0, 9.0], np.float32)
    stubborn = replace(teacher, weights=teacher.network.layout.flatten(named))
    settings = replace(SETTINGS, epochs=12, teacher_weight=1.0)
    taught = Trainer(data, settings, RunFolder(tmp_path / "taught"), [stubborn])
    taught._evaluate_inner = lambda: {}  # type: ignore[method-assign]
    taught.run()
    logits = edge_tcn.logits(taught.spec, taught._folded(), data.inner_utterances())
    assert (logits.argmax(1) == 2).all()


def test_teachers_hear_as_recorded_what_the_network_hears_under_conditions(data: Prepared, tmp_path: Path) -> None:
    from overtone_cloud.training.trainer import Trainer

    off = Augmentation(**{field.name: 0 for field in fields(Augmentation)})
    around = replace(data, views=tuple((np.full_like(x, 99.0),) for x in data.train.log_mels))
    settings = replace(SETTINGS, augmentation=replace(off, conditioned=0.5))
    teacher = Trainer(around, replace(settings, teachers=0, epochs=1), RunFolder(tmp_path / "teacher")).run()
    trainer = Trainer(around, settings, RunFolder(tmp_path / "taught"), [teacher])
    rows = np.arange(len(data.train))
    x, counts, _, clear, clear_counts = trainer._batch(rows, np.random.default_rng(0))
    conditioned = x[:, 0, 0] == 99.0
    assert 0.2 < conditioned.mean() < 0.8
    assert not (clear[:, 0, 0] == 99.0).any()
    np.testing.assert_array_equal(clear[~conditioned], x[~conditioned])
    for row in np.flatnonzero(conditioned):
        most = clear_counts[row]
        np.testing.assert_array_equal(clear[row, :most], data.train.log_mels[row][:most])
    assert counts.shape == clear_counts.shape


def test_seeds_of_teachers_are_their_own(data: Prepared) -> None:
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
