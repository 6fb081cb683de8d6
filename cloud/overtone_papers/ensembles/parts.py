"""Parts that train single networks: each network, the ablation and the search."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from overtone_models.networks.papers.ensembles import PARAMETERS
from overtone_papers.common.report import Cell, Part, Table
from overtone_papers.ensembles import plans, published, tables
from overtone_papers.ensembles.division import DESCRIPTIONS
from overtone_papers.ensembles.material import SPECS
from overtone_papers.ensembles.ranges import BEST, NAMES
from overtone_papers.ensembles.recipes import INPUTS_1D, RECIPES
from overtone_papers.ensembles.runner import Result, Runner

TITLES = {
    "1d": "CNN1D-LSTM on mean vectors",
    "2d": "CNN2D-LSTM on log-mel spectrograms",
    "fused": "CNN1D-LSTM and CNN2D-LSTM fused",
    "lstm-cnn": "LSTM-CNN on both inputs",
    "transformer": "CNN-Transformer",
}


def split_words(runner: Runner) -> str:
    """Return what the figures of a part stand on."""
    return "; and ".join(DESCRIPTIONS[split] for split in runner.settings.splits)


def network_part(runner: Runner, part: str) -> Part:
    """Return one network's part: all seeds and splits, by origin and class, confusions and curves."""
    started = time.monotonic()
    results = [variant(runner, job.network, runner.result(job)) for job in _jobs(runner, part)]
    networks = plans.NETWORKS_OF[part]
    paper = [row for network in networks for row in _paper_rows(network)]
    main = [r for r in results if "used" not in r.figures["options"]]
    made = (
        tables.overall(TITLES[part], results, paper),
        tables.by_origin(main, _of_2d(published.ORIGINS, part)),
        tables.by_class(main, "f1", _of_2d(published.F1, part)),
        tables.by_class(main, "recall", _of_2d(published.RECALL, part)),
    )
    return Part(
        name=part,
        title=TITLES[part],
        split=split_words(runner),
        tables=made,
        pictures=tables.pictures(runner, part, main),
        seconds=round(time.monotonic() - started, 1),
        figures={"results": tables.for_programs(results)},
    )


def _of_2d(figures: Mapping[str, Sequence[float]], part: str) -> dict[str, Sequence[float]]:
    return {"CNN2D-LSTM": figures["CNN2D-LSTM"]} if part == "2d" else {}


def _jobs(runner: Runner, part: str) -> Sequence[Any]:
    return plans.jobs_of(part, runner.settings, runner.study.seeds)


def variant(runner: Runner, network: str, result: Result) -> Result:
    """Return the result with its title saying what was selected of its input, or along which axis it looks."""
    words = [result.title]
    if network in plans.USED:
        words.append(INPUTS_1D[int(result.figures["options"].get("used", plans.USED[network]))])
    if "axis" in result.figures["options"]:
        words.append(f"along {result.figures['options']['axis']}")
    return replace(result, title=", ".join(words))


def _paper_rows(network: str) -> list[tables.Row]:
    recipe = RECIPES[network]
    selected = f", {INPUTS_1D[plans.USED[network]]}" if network in plans.USED else ""
    rows = [
        tables.paper_row(
            recipe.title + selected,
            *recipe.paper[:2],
            loss=published.LOSS[network],
            seconds=recipe.paper[2],
            parameters={"e-cnn-transformer": "2.1 M"}.get(network, PARAMETERS.get(network)),
        )
    ]
    for (name, used), (accuracy, f1, loss, seconds) in published.INPUTS.items():
        if name == network:
            title = f"{recipe.title}, {INPUTS_1D[used]}"
            rows.append(tables.paper_row(title, accuracy, f1, loss=loss, seconds=seconds))
    return rows


def ablation_part(runner: Runner) -> Part:
    """Return networks trained with and without scaling."""
    started = time.monotonic()
    results, rows = [], []
    for network in runner.settings.ablation:
        title = RECIPES[network].title
        for (accuracy, f1, loss, seconds), word in zip(
            published.ABLATION.get(network, ()), ("scaled", "not scaled"), strict=False
        ):
            rows.append(tables.paper_row(f"{title}, {word}", accuracy, f1, loss=loss, seconds=seconds))
    for job in _jobs(runner, "ablation"):
        word = "scaled" if job.scaled else "not scaled"
        results.append(replace(runner.result(job), title=f"{job.recipe.title}, {word}"))
    return Part(
        name="ablation",
        title="With and without scaling",
        split=split_words(runner),
        tables=(tables.overall("Features scaled and not", results, rows),),
        pictures=tables.pictures(runner, "ablation", results),
        seconds=round(time.monotonic() - started, 1),
        figures={"results": tables.for_programs(results)},
    )


def search_part(runner: Runner) -> Part:
    """Return what Hyperband finds for each network, beside the paper's."""
    from overtone_papers.ensembles.search import search

    started = time.monotonic()
    splits = runner.settings.splits[:1] if runner.study.quick else runner.settings.splits
    columns = ("network", *NAMES, "inner accuracy %", "trials")
    rows: list[tuple[Cell, ...]] = []
    found = {}
    for network in runner.settings.search:
        rows.append((f"paper: {RECIPES[network].title}", *map(_plain, BEST[network]), None, None))
        for split in splits:
            result = _searched(runner, network, split, search)
            best = result["best"]
            name = f"{RECIPES[network].title}, {tables.SPLIT_WORDS[split]}"
            cells = [_plain(best.get(key)) for key in NAMES]
            rows.append((name, *cells, 100 * best["score"], len(result["trials"])))
            found[f"{network} {split}"] = result
    note = "The best trial by accuracy on the inner part; no test utterance was used."
    return Part(
        name="search",
        title="Hyperparameters by Hyperband",
        split=f"inner part of: {'; and '.join(DESCRIPTIONS[split] for split in splits)}",
        tables=(Table(title="Best hyperparameters", columns=columns, rows=tuple(rows), note=note),),
        seconds=round(time.monotonic() - started, 1),
        figures=found,
    )


def _searched(runner: Runner, network: str, split: str, search: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = runner.study.step(
        f"search-{network}-{split}",
        lambda: search(runner, network, split),
        network=network,
        split=split,
        calm=runner.settings.calm,
        axis=runner.settings.axis,
        scaler=runner.settings.scaler,
        features=[spec.digest for spec in SPECS.values()],
    )
    return result


def _plain(value: Any) -> Cell:
    return None if value is None else f"{value:g}" if isinstance(value, float) else value
