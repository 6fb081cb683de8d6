"""Tables and pictures of system B's report; accuracies in per cent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from overtone_papers.common.pictures import Album
from overtone_papers.common.report import Cell, Part, Picture, Table
from overtone_papers.common.study import Study
from overtone_papers.common.tables import CLASS_COLUMNS, Columns, class_rows, mean_of, over_seeds, summed, table
from overtone_papers.valence.data import Data, speakers_of
from overtone_papers.valence.experiment import Experiment, Result, best_of
from overtone_papers.valence.ratings import NAMES, accepted, is_rated, soft
from overtone_papers.valence.settings import TABLE_1, published

MOST_PICTURES = 6
PAPER = {
    "b-basic-cnn": (38.52, 46.59, 0.1639),
    "b-multitask-cnn": (36.78, 40.57, 0.0737),
    "b-basic-dcgan": (43.88, 49.80, 0.2618),
    "b-multitask-dcgan": (43.69, 48.88, 0.2434),
}
"""Table 2 of the paper, on IEMOCAP: accuracies of five and three classes in per cent, and the correlation."""

PAPER_CONFUSION = (
    (33.16, 16.33, 18.37, 20.92, 11.22),
    (2.93, 77.01, 7.96, 9.10, 2.99),
    (1.06, 50.90, 35.07, 9.03, 3.93),
    (2.85, 48.81, 13.95, 30.27, 4.12),
    (3.66, 26.83, 7.32, 18.29, 43.90),
)
"""Table 3 of the paper: BasicDCGAN, rows of the true class in per cent."""

Results = Mapping[str, Sequence[Result]]
"""Network -> one result per fold and seed."""

NAME: Columns = {"network": lambda r: r["network"][2:]}
SIZES: Columns = {
    "crop width": "settings.width",
    "learning rate": lambda r: f"{r['settings']['learning_rate']:g}",
    "batch": "settings.batch",
    "filter size": "settings.kernel",
    "filters": "settings.filters",
}
TRAININGS: Columns = {
    **NAME,
    "fold and test speakers": lambda r: f"{r['fold']}: {', '.join(r['test_speakers'])}",
    "seed": "seed",
    "best epoch": lambda r: f"{r['history']['best_epoch']} of {r['history']['epochs']}",
    "crops per epoch": "epoch_n",
    "validation 5 %": lambda r: 100 * max(r["history"]["val_accuracy"]),
    "test 5 %": "figures.acc5",
    "test 3 %": "figures.acc3",
    "rho": lambda r: f"{r['figures']['rho']:.3f}",
    "training s": "seconds",
    "one crop ms": lambda r: f"{r['inference_ms']:.2f}",
}
NETWORKS: Columns = {
    **NAME,
    **SIZES,
    "as table 1": lambda r: "yes" if _as_published(r) else "no",
    "parameters: valence": "parameters.valence",
    "discriminator": "parameters.discriminator",
    "generator": lambda r: r["parameters"]["generator"] or None,
}
ORIGINS: Columns = {
    "tested": lambda group: sum(int(figures["n"]) for figures in group),
    "5 classes %": "acc5",
    "chance of 5 %": "chance5",
    "3 classes %": "acc3",
    "rho": lambda group: f"{mean_of(group, 'rho'):.3f}",
}


def folds_part(experiment: Experiment, results: Results) -> Part:
    """Return the networks' figures on unseen speakers, beside the paper's."""
    every = [r for group in results.values() for r in group]
    files, dcgan = experiment.files, results.get("b-basic-dcgan")
    return Part(
        name="folds",
        title="Valence of speakers that were never heard",
        split=experiment.split,
        tables=(
            _beside_paper(results, experiment.split),
            _classes(results),
            *([_confusion_beside_paper(dcgan)] if dcgan else []),
            _origins(results),
            table("Each training", TRAININGS, every),
            table("Sizes and rates", NETWORKS, [group[0] for group in results.values()]),
            _ratings(experiment.data),
        ),
        pictures=tuple(p for network, group in results.items() for p in _pictures(experiment.study, network, group)),
        seconds=float(sum(r["seconds"] for r in every)),
        figures={
            "results": {network: list(group) for network, group in results.items()},
            "unlabelled_hours": files.hours,
            "unlabelled_files": len(files.paths),
            "unlabelled_unreadable": files.unreadable,
            "unlabelled_beyond_limit": files.beyond,
        },
    )


def search_part(experiment: Experiment, trials: Results) -> Part:
    """Return the best trial of each network beside the paper's table 1, and every trial."""
    fold, validation = experiment.folds[0], {**SIZES, "validation 5 %": "acc5"}
    rows: dict[tuple[str], Result] = {}
    for network, group in trials.items():
        rows[f"{network[2:]}, paper",] = {"settings": published(network).to_json(), "acc5": None}
        rows[f"{network[2:]}, ours",] = best_of(group)
    every = [r for group in trials.values() for r in group]
    columns = {**NAME, **validation, "epochs": "epochs", "seconds": "seconds"}
    speakers = ", ".join(speakers_of(experiment.data.utterances, fold.inner))
    return Part(
        name="search",
        title="Random search over the paper's ranges",
        split=f"{fold.name} alone: chosen by its validation speakers ({speakers}), its test speakers are not heard",
        tables=(
            table("What the search chose, the paper's table 1 beside ours", validation, rows, heads=("network",)),
            table("Every trial", columns, every),
        ),
        seconds=float(sum(r["seconds"] for r in every)),
        figures={"trials": {network: list(group) for network, group in trials.items()}},
    )


def _beside_paper(results: Results, split: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for network, group in results.items():
        acc5, acc3, rho = PAPER[network]
        ours5, ours3 = (_spread(group, f"figures.{name}", lambda v: f"{100 * v:.2f}") for name in ("acc5", "acc3"))
        correlation = _spread(group, "figures.rho", lambda v: f"{v:.3f}")
        chance = [100 * mean_of(group, f"figures.{name}") for name in ("chance5", "chance3")]
        rows.append((network[2:], f"{acc5:.2f}", ours5, f"{acc3:.2f}", ours3, f"{rho:.3f}", correlation, *chance))
    columns = ("network", "5 classes: paper %", "ours %", "3 classes: paper %", "ours %", "rho: paper", "ours")
    return Table(
        title="Unweighted accuracy and correlation, the paper's table 2 beside ours",
        columns=(*columns, "chance of 5 %", "chance of 3 %"),
        rows=tuple(rows),
        note=f"Paper: IEMOCAP, rated by people. Ours: {split}. Means over folds, +- deviation over seeds. "
        "Chance is one answer for everything.",
    )


def _spread(group: Sequence[Result], place: str, form: Callable[[float], str]) -> str:
    mean, deviation = over_seeds(group, lambda own: mean_of(own, place))
    return form(mean) if deviation is None else f"{form(mean)} +- {form(deviation)}"


def _classes(results: Results) -> Table:
    """Return recall, precision and F1 of each class, over all folds and seeds."""
    rows = [
        (network[2:], *row)
        for network, group in results.items()
        for row in class_rows(summed(group, "figures.confusion"), NAMES)
    ]
    return Table(title="Each class of valence", columns=("network", "valence", *CLASS_COLUMNS), rows=tuple(rows))


def _confusion_beside_paper(group: Sequence[Result]) -> Table:
    """Return BasicDCGAN's confusion beside the paper's table 3, rows of the true class in per cent."""
    rows: list[tuple[Cell, ...]] = []
    for name, paper, counts in zip(NAMES, PAPER_CONFUSION, summed(group, "figures.confusion"), strict=True):
        ours = [f"{100 * count / sum(counts):.1f}" if any(counts) else "-" for count in counts]
        rows.append((name, *(f"{share:.1f} | {own}" for share, own in zip(paper, ours, strict=True))))
    title = "Confusion of BasicDCGAN: the paper's table 3 | ours, in % of the true class"
    return Table(title=title, columns=("spoken", *NAMES), rows=tuple(rows))


def _origins(results: Results) -> Table:
    """Return the figures of each corpus' test speakers."""
    groups = {
        (network[2:], corpus): [r["by_corpus"][corpus] for r in group if corpus in r["by_corpus"]]
        for network, group in results.items()
        for corpus in sorted({c for r in group for c in r["by_corpus"]})
    }
    return table("By origin, mean over folds and seeds", ORIGINS, groups, heads=("network", "corpus"))


def _ratings(data: Data) -> Table:
    """Return counts of utterances by corpus and valence, and the source of their ratings."""
    rows: list[tuple[Cell, ...]] = []
    right = accepted(soft(data.valence))
    share = right / right.sum(1, keepdims=True)
    for corpus in sorted({u.corpus for u in data.utterances}):
        own = [place for place, u in enumerate(data.utterances) if u.corpus == corpus]
        rated = sum(is_rated(data.utterances[i]) for i in own)
        words = any(data.recordings[i].by_words for i in own)
        counts = (f"{n:g}" for n in np.round(share[own].sum(0), 1))
        source = "people" if rated == len(own) else f"people {rated}, our table the rest" if rated else "our table"
        rows.append((corpus, len(own), source, "words" if words else "voiced frames", *counts))
    columns = ("corpus", "utterances", "rated by", "crops on", *NAMES)
    note = "A rating between two classes counts half for either. Our table: overtone_models/labels.py."
    return Table(title="Valence in the corpora", columns=columns, rows=tuple(rows), note=note)


def _as_published(result: Mapping[str, Any]) -> bool:
    paper = published(result["network"]).to_json()
    return all(result["settings"][name] == paper[name] for name in TABLE_1)


def _pictures(study: Study, network: str, group: Sequence[Result]) -> list[Picture]:
    album, name = Album(study, "folds"), network[2:]
    confusion, title = summed(group, "figures.confusion"), f"{name}, test speakers of all folds"
    histories = [{**r["history"], "name": r["fold"]} for r in group if r["seed"] == 0]
    caption = f"{name}: loss, and unweighted validation accuracy"
    return [
        album.confusion(f"{name}-confusion", confusion, NAMES, title=title, caption=f"{name}: confusion of valence"),
        album.curves(f"{name}-curves", histories, title=f"{name}, seed 0", caption=caption),
        *_generated(study, network),
    ]


def _generated(study: Study, network: str) -> list[Picture]:
    """Return the generator's pictures of some epochs, spread over the training."""
    files = sorted((study.out / "generated" / network).glob("epoch-*.png"))
    places = sorted({round(place) for place in np.linspace(0, len(files) - 1, MOST_PICTURES)} if files else ())
    words = f"{network[2:]}: spectrograms generated from the same noise after epoch"
    return [
        Picture(
            path=f"generated/{network}/{files[i].name}",
            caption=f"{words} {int(files[i].stem[6:])} (of {len(files)}; fold 1, seed 0)",
        )
        for i in places
    ]
