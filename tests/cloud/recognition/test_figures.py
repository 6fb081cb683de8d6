"""Figures: folds pooled within a seed, mean and deviation over seeds, targets met or not."""

from typing import Any

import numpy as np
import pytest

from overtone_cloud.recognition.figures import Figure, Target, corpus_figures
from overtone_cloud.recognition.limits import Limits
from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.recognition.report import figure_cells, joint_cells
from overtone_cloud.recognition.results import TrainingResults

LABELS = ("neutral", "angry")


def said(right: int, wrong: int, name: str, confidence: float = 0.9) -> dict[str, Any]:
    """Return predictions of as many utterances of each class, with that many right ones in each."""
    n = right + wrong
    targets = np.repeat([0, 1], n)
    sure = np.array([confidence] * right + [1 - confidence] * wrong, np.float32)
    of_class = np.concatenate([sure, sure])
    probabilities = np.where(np.eye(2, dtype=bool)[targets], of_class[:, None], 1 - of_class[:, None])
    ids = tuple(f"{name}/{row}" for row in range(2 * n))
    found = Predictions(LABELS, ids, (name,) * 2 * n, targets, probabilities.astype(np.float32), np.full(2 * n, 0.5))
    return {"predictions": found.to_json()}


def taken(seed: int, **more: Any) -> list[TrainingResults]:
    """Return two folds of a seed: the first has 6 of 8 right, the second 8 of 8, in each class."""
    firsts = {"clean": said(6, 2, "a"), "noise": said(4, 4, "a"), **more}
    seconds = {"clean": said(8, 0, "b"), "noise": said(7, 1, "b"), **more}
    return [TrainingResults(fold="1", seed=seed, results=firsts), TrainingResults(fold="2", seed=seed, results=seconds)]


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_folds_pool_and_losses_are_in_points() -> None:
    found = by_name(corpus_figures("ravdess", {0: taken(0), 1: taken(1), 2: taken(2)}, None, Limits()))
    uar = found["UAR, unseen speakers"]
    assert uar.values == pytest.approx((87.5, 87.5, 87.5))
    assert (uar.mean, uar.sd, uar.met) == (pytest.approx(87.5), pytest.approx(0.0), True)
    lost = found["UAR lost in noise (10 dB)"]
    assert lost.values == pytest.approx((18.75,) * 3)
    assert lost.met is False
    assert found["expected calibration error"].values == pytest.approx((2.5,) * 3, abs=0.01)
    assert found["utterances decided"].mean == 100.0
    assert found["of those decided, right"].mean == pytest.approx(87.5)
    assert "gain of the personal head, mean of speakers" not in found


def test_figures_of_shared_speakers_say_so_and_have_no_target() -> None:
    found = corpus_figures("ravdess", {0: taken(0)}, None, Limits(), unseen=False)
    assert found[0].name == "UAR, speakers shared"
    assert "UAR lost in noise (10 dB)" in by_name(found)
    assert all(figure.target is None for figure in found)


def test_the_shared_figure_stands_right_below_the_honest_one() -> None:
    shared = {0: [TrainingResults(fold="1", seed=0, results={"clean": said(8, 0, "c")})]}
    first, second, *_ = corpus_figures("other", {0: taken(0)}, shared, Limits())
    assert (first.name, first.target) == ("UAR, unseen speakers", None)
    assert second.name == "UAR, speakers shared (random split)"
    assert second.values == (100.0,)


def test_personal_gains_are_of_all_speakers_and_the_worst_counts() -> None:
    def rows(*gains: float) -> dict[str, Any]:
        return {"speakers": [{"uar": 0.5, "uar_personal": 0.5 + g, "uar_always": 0.5, "kept": 1.0} for g in gains]}

    results = {0: taken(0, personal=rows(0.2, 0.1)), 1: taken(1, personal=rows(0.2, -0.02))}
    found = by_name(corpus_figures("ravdess", results, None, Limits()))
    assert found["gain of the personal head, mean of speakers"].values == pytest.approx((15.0, 9.0))
    worst = found["gain of the personal head, worst speaker"]
    assert worst.values == pytest.approx((10.0, -2.0))
    assert worst.mean > -1 and worst.met is False  # the worst seed counts, not the mean


def test_windows_and_listening_are_shares_of_all_folds() -> None:
    more = {
        "sounds": {"seconds": 100, "undecided": 97, "labels": {"angry": 3}, "recordings": 20, "ends": {"angry": 1}},
        "speech": {"seconds": 200, "undecided": 20, "labels": {"angry": 4}, "recordings": 20, "ends": {"sad": 20}},
        "listening": {"utterances": 50, "same": 49, "cut": 1},
        "int8": {**said(8, 0, "x"), "streaming_bytes": 300_000, "multiply_adds_3_s": 10},
    }
    found = by_name(corpus_figures("ravdess", {0: taken(0, **more)}, None, Limits()))
    assert found['seconds of everyday sounds with "no decision"'].mean == pytest.approx(97.0)
    assert found["seconds of neutral read speech called angry"].mean == pytest.approx(2.0)
    assert found["neutral read speech called angry, at its end"].mean == 0.0
    ends = found["streaming ends with the whole utterance's decision"]
    assert (ends.mean, ends.met) == (pytest.approx(98.0), False)
    assert found["int8 streaming model"].met is False
    assert found["multiply-adds for 3 s"].met is True


@pytest.mark.parametrize(
    ("sign", "limit", "every", "values", "met"),
    [
        (">=", 70.0, False, (69.0, 71.5), True),
        (">=", 70.0, True, (69.0, 71.5), False),
        ("<=", 5.0, False, (5.0,), True),
        ("<=", 5.0, False, (5.0, 5.2), False),
    ],
)
def test_targets(sign: str, limit: float, every: bool, values: tuple[float, ...], met: bool) -> None:
    assert Target(sign=sign, limit=limit, every=every).met(values) is met


def test_cells_show_mean_deviation_and_target() -> None:
    figure = Figure(corpus="x", name="UAR", unit="%", values=(60.0, 70.0), target=Target(sign=">=", limit=70.0))
    assert figure_cells(figure.to_json()) == ("UAR", "65.0 ± 7.1 %", ">= 70", "no")
    size = Figure(corpus="x", name="size", unit="bytes", values=(1234.0, 1234.0))
    assert figure_cells(size.to_json()) == ("size", "1,234 bytes", "", "")
    row = {"corpus": "tess", "unseen_speakers": [50.0], "quiet": [40.0], "loud": [45.0, 45.0], "corpus_not_heard": None}
    assert joint_cells(row) == ("tess", "50.0 %", "40.0 %", "45.0 ± 0.0 %", "–", "–")
    row = {**row, "corpus_not_heard": [30.0], "personal_gain_not_heard": [20.0, 22.0]}
    assert joint_cells(row)[-2:] == ("30.0 %", "21.0 ± 1.4 points")
