"""System E from synthetic speech to its report: quick runs, resumption, and saved networks."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from overtone_models.networks.papers import build
from overtone_models.window_model import WindowModel
from overtone_papers.common.fitting import predict
from overtone_papers.ensembles.system import SYSTEM

PAIR = "e-cnn1d-lstm,e-lstm-cnn-1d"


def the(report, name):
    return next(part for part in report.parts if part.name == name)


@pytest.fixture(scope="module")
def pair(study):
    """A study of an ensemble of two, and its report."""
    quick_study = study("ensemble", members=PAIR, epochs="2", splits="random")
    return quick_study, SYSTEM.run(quick_study)


def test_ensemble_states_split_and_where_weights_were_searched(pair):
    _, report = pair
    part = the(report, "ensemble")
    assert "speakers shared" in part.split
    assert len(part.figures["results"]) == 5  # two members, the mean, two genetic ones
    assert any("REPORTED" in str(cell) for row in part.tables[0].rows for cell in row)
    assert all(claim.holds is None for claim in report.claims)  # a quick run judges nothing
    json.dumps(asdict(report), allow_nan=False)


def test_an_interrupted_run_goes_on_and_a_lost_prediction_is_made_again(pair):
    quick_study, report = pair
    lost = quick_study.out / "predictions" / "e-cnn1d-lstm-random-seed0.npz"
    with np.load(lost) as stored:
        before = stored["test"]
    lost.unlink()
    lines = []
    again = SYSTEM.run(replace(quick_study, log=lines.append))
    assert [line for line in lines if "kept" in line] == ["e-lstm-cnn-1d-random-seed0: kept from an earlier run"]
    with np.load(lost) as stored:
        np.testing.assert_allclose(stored["test"], before, atol=1e-6)
    accuracies = [[row["accuracy"] for row in the(r, "ensemble").figures["results"]] for r in (again, report)]
    assert accuracies[0] == accuracies[1]


def test_saved_network_gives_the_reported_figures(pair):
    quick_study, report = pair
    folder = quick_study.out / "networks" / "e-cnn1d-lstm"
    row = next(r for r in the(report, "ensemble").figures["results"] if r["network"] == "e-cnn1d-lstm")
    assert accuracy_of(folder) == pytest.approx(row["accuracy"], abs=1e-6)
    with np.load(folder / "calibration.npz") as stored:
        assert stored["x0"].shape[1:] == (180, 1)
    assert "speakers shared" in WindowModel.load(folder).split


def accuracy_of(folder):
    """Return the accuracy of a stored network on the test features beside it."""
    stored = WindowModel.load(folder)
    model = build(stored.network, **stored.options)
    model.set_weights(list(stored.weights))
    with np.load(folder / "test.npz") as test:
        logits = predict(model, stored.standardise([test["x0"]])[0])
        return float((logits.argmax(1) == test["y"]).mean())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_cheap_part_on_both_splits(study):
    options = {"members": PAIR, "base": "e-cnn1d-lstm", "ablation": "e-cnn1d-lstm", "epochs": "1"}
    quick_study = study("statistics", "ablation", "ensemble", "stacking", "search", **options)
    report = SYSTEM.run(quick_study)
    for name in ("ablation", "ensemble", "stacking"):
        splits = {row["split"] for row in the(report, name).figures["results"]}
        assert splits == {"random, speakers shared", "by speaker, unseen"}
    assert the(report, "search").figures["e-cnn1d-lstm random"]["best"]["score"] >= 0
    assert {path.name for path in (quick_study.out / "networks").iterdir()} == {
        "e-cnn1d-lstm",
        "e-lstm-cnn-1d",
        "e-stacking",
    }
    for part in report.parts:
        for picture in part.pictures:
            assert (quick_study.out / picture.path).is_file()
    row = next(r for r in the(report, "stacking").figures["results"] if r["network"] == "e-stacking")
    assert accuracy_of(quick_study.out / "networks" / "e-stacking") == pytest.approx(row["accuracy"], abs=1e-6)
