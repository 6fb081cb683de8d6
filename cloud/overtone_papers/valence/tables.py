"""The tables of system B's report; accuracies in per cent."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from overtone_papers.common.report import Cell, Table
from overtone_papers.valence.dimensions import is_rated
from overtone_papers.valence.experiment import Result
from overtone_papers.valence.figures import mean_and_deviation, summed
from overtone_papers.valence.material import Material
from overtone_papers.valence.settings import published
from overtone_papers.valence.soft_labels import NAMES, accepted, soft

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


def over_seeds(results: Sequence[Result], measure: str) -> tuple[float, float | None]:
    """Return a measure's mean over folds, its mean and deviation over seeds; shares as they are."""
    seeds = sorted({r["seed"] for r in results})
    return mean_and_deviation(
        [float(np.mean([r["figures"][measure] for r in results if r["seed"] == s])) for s in seeds]
    )


def beside_paper(results: Results, split: str) -> Table:
    """Return the paper's table 2 with our figures."""
    rows: list[tuple[Cell, ...]] = []
    for network, found in results.items():
        acc5, acc3, rho = PAPER[network]
        ours = (_shown(found, "acc5", _per_cent), _shown(found, "acc3", _per_cent), _shown(found, "rho", _plain))
        chance = [100 * float(np.mean([r["figures"][name] for r in found])) for name in ("chance5", "chance3")]
        rows.append((network[2:], f"{acc5:.2f}", ours[0], f"{acc3:.2f}", ours[1], f"{rho:.3f}", ours[2], *chance))
    columns = ("network", "5 classes: paper %", "ours %", "3 classes: paper %", "ours %", "rho: paper", "ours")
    return Table(
        title="Unweighted accuracy and correlation, the paper's table 2 beside ours",
        columns=(*columns, "chance of 5 %", "chance of 3 %"),
        rows=tuple(rows),
        note=f"Paper: IEMOCAP, rated by people. Ours: {split}. Means over folds, +- deviation over seeds. "
        "Chance is one answer for everything.",
    )


def trainings(results: Results) -> Table:
    """Return one row a training."""
    rows = tuple(
        (
            r["network"][2:],
            f"{r['fold']}: {', '.join(r['test_speakers'])}",
            int(r["seed"]),
            f"{r['history']['best_epoch']} of {r['history']['epochs']}",
            int(r["epoch_n"]),
            100 * max(r["history"]["val_accuracy"]),
            100 * r["figures"]["acc5"],
            100 * r["figures"]["acc3"],
            f"{r['figures']['rho']:.3f}",
            float(r["seconds"]),
            f"{r['inference_ms']:.2f}",
        )
        for found in results.values()
        for r in found
    )
    columns = ("network", "fold and test speakers", "seed", "best epoch", "crops an epoch", "validation 5 %")
    times = ("training s", "one crop ms")
    return Table(title="Each training", columns=(*columns, "test 5 %", "test 3 %", "rho", *times), rows=rows)


def sizes(results: Results) -> Table:
    """Return what each network was trained with, and how many parameters it has."""
    rows: list[tuple[Cell, ...]] = []
    for network, found in results.items():
        s, n = found[0]["settings"], found[0]["parameters"]
        same = all(s[k] == v for k, v in published(network).to_json().items() if k in _TABLE_1)
        sized = (int(s["width"]), f"{s['learning_rate']:g}", int(s["batch"]), int(s["kernel"]), int(s["filters"]))
        counts = (int(n["valence"]), int(n["discriminator"]), int(n["generator"]) or None)
        rows.append((network[2:], *sized, "yes" if same else "no", *counts))
    columns = ("network", "crop width", "learning rate", "batch", "filter size", "filters", "as table 1")
    counts_of = ("parameters: valence", "discriminator", "generator")
    return Table(title="Sizes and rates", columns=(*columns, *counts_of), rows=tuple(rows))


_TABLE_1 = ("width", "learning_rate", "batch", "kernel", "filters")


def per_class(results: Results) -> Table:
    """Return recall, precision and F1 of each class, over all folds and seeds."""
    rows: list[tuple[Cell, ...]] = []
    for network, found in results.items():
        counts = np.array(summed([r["figures"] for r in found]))
        for k, name in enumerate(NAMES):
            hits, there, said = int(counts[k, k]), int(counts[k].sum()), int(counts[:, k].sum())
            shares = (_share(hits, there), _share(hits, said), _share(2 * hits, there + said) if there else None)
            rows.append((network[2:], name, *shares, there))
    columns = ("network", "valence", "recall %", "precision %", "F1 %", "utterances")
    return Table(title="Each class of valence", columns=columns, rows=tuple(rows))


def confusion_beside_paper(found: Sequence[Result]) -> Table:
    """Return BasicDCGAN's confusion beside the paper's table 3, rows of the true class in per cent."""
    counts = np.array(summed([r["figures"] for r in found]))
    rows = tuple(
        (name, *(f"{p:.1f} | {_text(_share(int(c), int(row.sum())))}" for p, c in zip(paper, row, strict=True)))
        for name, paper, row in zip(NAMES, PAPER_CONFUSION, counts, strict=True)
    )
    title = "Confusion of BasicDCGAN: the paper's table 3 | ours, in % of the true class"
    return Table(title=title, columns=("spoken", *NAMES), rows=rows)


def by_corpus(results: Results) -> Table:
    """Return the figures of each corpus' test speakers."""
    rows: list[tuple[Cell, ...]] = []
    for network, found in results.items():
        for corpus in sorted({c for r in found for c in r["by_corpus"]}):
            of = [r["by_corpus"][corpus] for r in found if corpus in r["by_corpus"]]
            acc5, acc3, rho, chance = (
                float(np.mean([f[name] for f in of])) for name in ("acc5", "acc3", "rho", "chance5")
            )
            n = sum(int(f["n"]) for f in of if f)
            rows.append((network[2:], corpus, n, 100 * acc5, 100 * chance, 100 * acc3, f"{rho:.3f}"))
    columns = ("network", "corpus", "tested", "5 classes %", "chance of 5 %", "3 classes %", "rho")
    return Table(title="By origin, mean over folds and seeds", columns=columns, rows=tuple(rows))


def ratings(material: Material) -> Table:
    """Return how many utterances of each corpus have which valence, and where their ratings come from."""
    rows: list[tuple[Cell, ...]] = []
    right = accepted(soft(material.valence))
    share = right / right.sum(1, keepdims=True)
    for corpus in sorted({u.corpus for u in material.utterances}):
        of = np.array([u.corpus == corpus for u in material.utterances])
        rated = sum(is_rated(u) for u in material.utterances if u.corpus == corpus)
        words = sum(r.by_words for r, there in zip(material.recordings, of, strict=True) if there)
        counts = (f"{n:g}" for n in np.round(share[of].sum(0), 1))
        source = "people" if rated == of.sum() else "our table" if not rated else f"people {rated}, our table the rest"
        rows.append((corpus, int(of.sum()), source, "words" if words else "voiced frames", *counts))
    columns = ("corpus", "utterances", "rated by", "crops on", *NAMES)
    note = "A rating between two classes counts half for either. Our table: overtone_models/labels.py."
    return Table(title="Valence in the corpora", columns=columns, rows=tuple(rows), note=note)


def trials(found: Mapping[str, Sequence[Result]]) -> tuple[Table, Table]:
    """Return the best trial of each network beside the paper's, and every trial."""
    best = {network: max(of, key=lambda r: float(r["acc5"])) for network, of in found.items()}
    columns = ("network", "crop width", "learning rate", "batch", "filter size", "filters", "validation 5 %")
    top: list[tuple[Cell, ...]] = []
    for network, result in best.items():
        top.append((f"{network[2:]}, paper", *_sized(published(network).to_json()), None))
        top.append((f"{network[2:]}, ours", *_sized(result["settings"]), 100 * result["acc5"]))
    every = tuple(
        (network[2:], *_sized(r["settings"]), 100 * r["acc5"], int(r["epochs"]), float(r["seconds"]))
        for network, of in found.items()
        for r in of
    )
    return (
        Table(title="What the search chose, the paper's table 1 beside ours", columns=columns, rows=tuple(top)),
        Table(title="Every trial", columns=(*columns, "epochs", "seconds"), rows=every),
    )


def _sized(s: Mapping[str, float]) -> tuple[Cell, ...]:
    return int(s["width"]), f"{s['learning_rate']:g}", int(s["batch"]), int(s["kernel"]), int(s["filters"])


def _shown(found: Sequence[Result], measure: str, form: Callable[[float], str]) -> str:
    mean, deviation = over_seeds(found, measure)
    return form(mean) if deviation is None else f"{form(mean)} +- {form(deviation)}"


def _per_cent(value: float) -> str:
    return f"{100 * value:.2f}"


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _text(share: float | None) -> str:
    return "-" if share is None else f"{share:.1f}"
