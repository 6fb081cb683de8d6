"""The ensembles' parts: mean and genetic weights over kept predictions, and stacking."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_papers.common.report import Cell, Part, Table
from overtone_papers.ensembles import plans, published, tables
from overtone_papers.ensembles.parts import split_words
from overtone_papers.ensembles.predictions import figures
from overtone_papers.ensembles.recipes import RECIPES
from overtone_papers.ensembles.runner import Result, Runner
from overtone_papers.ensembles.voting import F64, Found, GeneticSettings, combined, searched

MEAN, INNER, REPORTED = "mean", "genetic, searched on the inner part", "genetic, searched on the REPORTED set"
KINDS = {"mean": MEAN, "genetic": INNER, "genetic-reported": REPORTED}
NOTE = (
    "The paper searched its weights on the set it reports: that figure flatters and stands last; the honest one is "
    "searched on the inner part, which no figure here is reported on."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Voted:
    """The members of one split and seed, and what came of voting; `weights` by kind."""

    members: Sequence[Result]
    results: tuple[Result, ...]
    weights: dict[str, Found]


def ensemble_part(runner: Runner) -> Part:
    """Return mean and genetic ensembles of the members, each split and seed."""
    started = time.monotonic()
    voted = [_vote(runner, split, seed) for split in runner.settings.splits for seed in range(runner.study.seeds)]
    members = [result for one in voted for result in one.members]
    results = [result for one in voted for result in one.results]
    honest = [r for r in results if r.key == "genetic"]
    paper = [
        tables.paper_row("mean", *published.MEAN),
        tables.paper_row("genetic (searched on the reported set)", *published.GENETIC),
    ]
    detailed = [*_best(members), *results]
    return Part(
        name="ensemble",
        title="Ensembles: mean and genetic weights",
        split=split_words(runner),
        tables=(
            tables.overall("Ensembles and their members", [*members, *results], paper, NOTE),
            _weight_table(runner, voted),
            tables.by_origin([*members, *results], published.ORIGINS),
            tables.by_class(detailed, "f1", published.F1),
            tables.by_class(detailed, "recall", published.RECALL),
        ),
        pictures=tables.pictures(runner, "ensemble", [*_best(members), *honest], curves=False),
        seconds=round(time.monotonic() - started, 1),
        figures={
            "results": tables.for_programs([*members, *results]),
            "weights": [_weights_json(one) for one in voted],
        },
    )


def _vote(runner: Runner, split: str, seed: int) -> Voted:
    jobs = [
        j for j in plans.jobs_of("ensemble", runner.settings, runner.study.seeds) if (j.split, j.seed) == (split, seed)
    ]
    members = runner.results(jobs)
    division, y = runner.division(split, seed), runner.material.y
    inner, test = np.stack([m.inner for m in members]), np.stack([m.test for m in members])
    quick = GeneticSettings(generations=20, restarts=2)
    genetic = quick if runner.study.quick else GeneticSettings()
    weights = {
        "genetic": searched(inner, y[division.inner], seed=seed, settings=genetic),
        "genetic-reported": searched(test, y[division.test], seed=seed, settings=genetic),
    }
    given: dict[str, F64 | None] = {"mean": None, **{kind: found.weights for kind, found in weights.items()}}
    results = tuple(_result(runner, members, kind, w, split=split, seed=seed) for kind, w in given.items())
    return Voted(members=members, results=results, weights=weights)


def _result(
    runner: Runner, members: Sequence[Result], kind: str, weights: F64 | None, *, split: str, seed: int
) -> Result:
    test = combined(np.stack([m.test for m in members]), weights)
    scored = figures(test, runner.material, runner.division(split, seed))
    total = {key: sum(m.figures[key] for m in members) for key in ("inference_s", "seconds", "parameters")}
    rest = {**total, "inference_n": members[0].figures["inference_n"], "members": [m.key for m in members]}
    inner = combined(np.stack([m.inner for m in members]), weights)
    title = f"Ensemble: {KINDS[kind]}"
    return Result(
        key=kind, title=title, split=split, seed=seed, figures={**scored, **rest}, test=test, inner=inner
    )  # fmt: skip


def _best(members: Sequence[Result]) -> list[Result]:
    """Return the members of the network with the best mean accuracy on the inner part's split, all splits."""
    titles = {m.title for m in members}
    first = members[0].split

    def mean(title: str) -> float:
        return float(np.mean([m.accuracy for m in members if m.title == title and m.split == first]))

    best = max(sorted(titles), key=mean)
    return [m for m in members if m.title == best]


def _weight_table(runner: Runner, voted: Sequence[Voted]) -> Table:
    names = runner.settings.members
    rows: list[tuple[Cell, ...]] = [("paper", None, *(f"{published.WEIGHTS[name]:.3f}" for name in names), None)]
    for one in voted:
        first = one.members[0]
        for kind, found in one.weights.items():
            name = f"{KINDS[kind]}, seed {first.seed}"
            rows.append(
                (name, tables.SPLIT_WORDS[first.split], *(f"{w:.3f}" for w in found.weights), 100 * found.fitness)
            )
    columns = ("weights", "split", *(RECIPES[name].title for name in names), "F1 where searched %")
    return Table(title="Weights of the members", columns=columns, rows=tuple(rows), note=NOTE)


def _weights_json(one: Voted) -> dict[str, Any]:
    first = one.members[0]
    return {
        "split": tables.SPLIT_WORDS[first.split],
        "seed": first.seed,
        "members": [m.key for m in one.members],
        **{kind: {"weights": found.weights.tolist(), "fitness": found.fitness} for kind, found in one.weights.items()},
    }


def stacking_part(runner: Runner) -> Part:
    """Return the stacking of seven binary networks beside the network that they are binary forms of."""
    started = time.monotonic()
    base, stacked = [], []
    for split in runner.settings.splits:
        for seed in range(runner.study.seeds):
            jobs = plans.binaries(runner.settings, split, seed)
            plain = [j for j in plans.jobs_of("stacking", runner.settings, seed + 1) if j.target is None]
            base.append(next(runner.result(j) for j in plain if (j.split, j.seed) == (split, seed)))
            stacked.append(runner.stacked(jobs))
    two = RECIPES["e-cnn2d-lstm"]
    accuracy, f1, loss, seconds = published.STACKING
    paper = [
        tables.paper_row(two.title, *two.paper[:2], loss=published.LOSS["e-cnn2d-lstm"], seconds=two.paper[2]),
        tables.paper_row("stacking of CNN2D-LSTM", accuracy, f1, loss=loss, seconds=seconds, parameters="7 times"),
    ]
    results = [*base, *stacked]
    return Part(
        name="stacking",
        title="Stacking of seven binary networks",
        split=split_words(runner),
        tables=(
            tables.overall("Stacking", results, paper),
            tables.by_origin(results, {}),
            tables.by_class(results, "f1", {}),
            tables.by_class(results, "recall", {}),
        ),
        pictures=tables.pictures(runner, "stacking", stacked, curves=False),
        seconds=round(time.monotonic() - started, 1),
        figures={"results": tables.for_programs(results)},
    )
