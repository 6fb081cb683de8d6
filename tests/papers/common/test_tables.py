"""Tables from templates, classes from confusions, and the paper's claims and choices."""

from typing import Any

import pytest

from overtone_papers.common.report import Claim, Verdict, choices_of, claim, judged
from overtone_papers.common.tables import class_rows, grouped, over_seeds, summed, table


def result(network: str, seed: int, uar: float) -> dict[str, Any]:
    return {"network": network, "seed": seed, "scores": {"uar": uar, "confusion": [[2, 1], [0, 3]]}}


RESULTS = [result("dense", 0, 0.5), result("dense", 1, 0.7), result("conv", 0, 0.25)]


def test_a_row_is_a_result_or_the_mean_of_a_group() -> None:
    columns = {"UAR %": "scores.uar", "seeds": lambda row: "one" if isinstance(row, dict) else len(row)}
    each = table("Each", {"network": "network", **columns}, RESULTS, paper=[("paper", 60.0, None)], note="A note.")
    assert each.columns == ("network", "UAR %", "seeds")
    assert each.rows == (("paper", 60.0, None), ("dense", 50.0, "one"), ("dense", 70.0, "one"), ("conv", 25.0, "one"))
    assert each.note == "A note."
    means = table("Means", columns, grouped(RESULTS, "network"), heads=("network",))
    assert means.columns == ("network", "UAR %", "seeds")
    assert means.rows == (("dense", pytest.approx(60.0), 2), ("conv", 25.0, 1))


def test_figures_over_seeds_and_classes() -> None:
    mean, deviation = over_seeds(RESULTS[:2], lambda group: float(group[0]["scores"]["uar"]))
    assert (mean, deviation) == (pytest.approx(0.6), pytest.approx(0.141421, abs=1e-6))
    assert over_seeds(RESULTS[2:], len)[1] is None
    counts = summed(RESULTS[:2])
    assert counts == [[4, 2], [0, 6]]
    sad, angry, absent = class_rows([*([*row, 1] for row in counts), [0, 0, 0]], ("sad", "angry", "happy"))
    assert sad == ("sad", pytest.approx(400 / 7), 100.0, pytest.approx(800 / 11), 7)
    assert angry[1:3] == (pytest.approx(600 / 7), 75.0)
    assert absent == ("happy", None, 0.0, None, 0)


def test_choices_are_lines_with_values() -> None:
    first, second = choices_of("\nscale | {scale} | none\n  is given\nrate | 0.1 | usual\n", scale="standard")
    assert (first.what, first.chosen, first.why) == ("scale", "standard", "none is given")
    assert second.why == "usual"


@claim("It learns", "above 90 %")
def learns(accuracy: float | None) -> Verdict | None:
    return None if accuracy is None else (f"{accuracy:g} %", accuracy > 90)


def test_a_claim_is_judged_by_figures_unless_the_run_is_quick() -> None:
    assert judged([learns], 95.0) == (Claim(claim="It learns", paper="above 90 %", ours="95 %", holds=True),)
    assert judged([learns], None) == ()
    (quick,) = judged([learns], 95.0, quick=True)
    assert (quick.ours, quick.holds) == ("95 % (quick run: says nothing)", None)
