"""What a card says of figures: shares of what was spoken, the worst first, nothing where there is nothing."""

import pytest

from overtone_cloud.corpora.registry import pretrained_licence
from overtone_cloud.pretraining.benchmark_figures import _coverage, _over_seeds
from overtone_cloud.pretraining.card import _table, confusions, worst
from overtone_cloud.pretraining.card_data import selection


def test_confusions_are_shares_of_what_was_spoken_and_never_the_right_ones() -> None:
    counts = [[6, 3, 1], [2, 38, 0]]
    assert confusions(("sad", "angry"), counts) == [
        ("sad", "angry", "30.0 %"),
        ("sad", "nothing heard", "10.0 %"),
        ("angry", "sad", "5.0 %"),
    ]
    assert confusions(("sad", "angry"), [[5, 0, 0], [0, 5, 0]]) == []


def test_the_worst_speakers_come_first() -> None:
    speakers = {f"s{n}": {"mean": mean, "sd": None} for n, mean in enumerate((0.9, 0.2, 0.5, 0.4, 0.7, 0.6))}
    assert worst(speakers)[:2] == ["s1 (20.0 %)", "s3 (40.0 %)"]
    assert len(worst(speakers)) == 5


def test_seeds_give_mean_and_deviation() -> None:
    found = _over_seeds({"0": {"female": 0.5, "male": 0.4}, "1": {"female": 0.7, "male": 0.4}})
    assert found["female"] == {"mean": 0.6, "sd": pytest.approx(0.1414, abs=1e-4)}
    assert found["male"] == {"mean": 0.4, "sd": 0.0}
    assert _over_seeds({"0": {"x": 0.5}})["x"]["sd"] is None


def test_coverage_is_the_mean_of_the_seeds_and_leaves_out_what_nobody_reached() -> None:
    first = [
        {"threshold": 0.5, "coverage": 0.8, "accuracy": 0.7},
        {"threshold": 0.9, "coverage": 0.0, "accuracy": None},
    ]
    second = [
        {"threshold": 0.5, "coverage": 0.6, "accuracy": 0.9},
        {"threshold": 0.9, "coverage": 0.2, "accuracy": 1.0},
    ]
    half, most = _coverage({"0": first, "1": second})
    assert half == {"threshold": 0.5, "coverage": 0.7, "accuracy": 0.8}
    assert most == {"threshold": 0.9, "coverage": 0.1, "accuracy": 1.0}


@pytest.mark.parametrize(("corpora", "commercial"), [(("crema-d",), True), (("crema-d", "ravdess"), False)])
def test_one_non_commercial_corpus_makes_the_model_so(corpora: tuple[str, ...], commercial: bool) -> None:
    terms = pretrained_licence(corpora)
    assert ("non-commercial research only" in terms) is not commercial
    assert "ODbL 1.0 (CREMA-D)" in terms


def test_what_the_weights_were_chosen_by() -> None:
    history = [{"epoch": 1.0}, {"epoch": 2.0, "inner_loss": 0.5}, {"epoch": 3.0, "inner_loss": 0.7}]
    told = selection(history, ("a", "b"))
    assert "least loss over the inner speakers (a, b), who trained nothing: epoch 2 of 3." in told


def test_a_table_is_markdown() -> None:
    assert _table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
