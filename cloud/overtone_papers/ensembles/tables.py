"""Tables and pictures of results: the paper's figure in the first rows, ours below, the split in each."""

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from overtone_papers.common.pictures import confusion_png, curves_png
from overtone_papers.common.report import Cell, Picture, Table
from overtone_papers.ensembles.material import LABELS
from overtone_papers.ensembles.runner import Result, Runner

SPLIT_WORDS = {"random": "random, speakers shared", "speaker": "by speaker, unseen"}
SPLIT_NOTE = (
    "Random: stratified 80/20, speakers shared, as in the paper. By speaker: a fifth of each corpus' speakers is "
    "tested and unseen in training (of two speakers one)."
)
PAPER_CORPORA = ("tess", "crema-d", "savee", "ravdess")
OVERALL_COLUMNS = ("network", "split", "accuracy %", "F1 %", "loss", "test set in s", "parameters", "training min")

Row = tuple[Cell, ...]


def grouped(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    """Return the results by title and split, all seeds together, in order of appearance."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.title, result.split), []).append(result)
    return groups


def per_cent(values: Sequence[float | None]) -> Cell:
    """Return the mean of shares in per cent, with their deviation where there are several; None where none is known."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return None
    return fmean(known) if len(known) == 1 else f"{fmean(known):.1f} ± {pstdev(known):.1f}"


def overall(title: str, results: Sequence[Result], paper: Sequence[Row] = (), note: str = "") -> Table:
    """Return accuracy, F1, loss, inference time of the whole test set, parameters and training time."""
    rows = [*(("paper: " + str(row[0]), *row[1:]) for row in paper)]
    rows += [_overall_row(name, split, own) for (name, split), own in grouped(results).items()]
    return Table(title=title, columns=OVERALL_COLUMNS, rows=tuple(rows), note=f"{SPLIT_NOTE} {note}".strip())


def _overall_row(name: str, split: str, own: Sequence[Result]) -> Row:
    first = own[0].figures
    return (
        name,
        SPLIT_WORDS[split],
        per_cent([r.accuracy for r in own]),
        per_cent([r.f1 for r in own]),
        f"{fmean(r.figures['loss'] for r in own):.3f}",
        f"{fmean(r.figures['inference_s'] for r in own):.2f} ({first['inference_n']})",
        first["parameters"],
        fmean(r.figures["seconds"] for r in own) / 60,
    )


def paper_row(
    name: str,
    accuracy: float,
    f1: float,
    *,
    loss: float | None = None,
    seconds: float | None = None,
    parameters: Cell = None,
) -> Row:
    """Return a row of the paper's for `overall`; its test set has 2,022 samples."""
    return (
        name,
        SPLIT_WORDS["random"],
        100 * accuracy,
        100 * f1,
        None if loss is None else f"{loss:.3f}",
        None if seconds is None else f"{seconds:.2f} (2022)",
        parameters,
        None,
    )


def by_origin(results: Sequence[Result], paper: Mapping[str, Sequence[float]]) -> Table:
    """Return accuracy by corpus; `paper` has TESS, CREMA-D, SAVEE and RAVDESS by title."""
    there = sorted({name for r in results for name in r.figures["origins"]})
    columns = [*PAPER_CORPORA, *(name for name in there if name not in PAPER_CORPORA)]
    rows: list[Row] = [
        (f"paper: {title}", SPLIT_WORDS["random"], *(100 * v for v in values), *([None] * (len(columns) - 4)))
        for title, values in paper.items()
    ]
    for (title, split), own in grouped(results).items():
        cells = [per_cent([r.figures["origins"].get(c, {}).get("accuracy") for r in own]) for c in columns]
        rows.append((title, SPLIT_WORDS[split], *cells))
    return Table(
        title="Accuracy by origin (%)", columns=("network", "split", *columns), rows=tuple(rows), note=SPLIT_NOTE
    )


def by_class(results: Sequence[Result], measure: str, paper: Mapping[str, Sequence[float]]) -> Table:
    """Return F1 (`f1`) or accuracy (`recall`) of each class; `paper` has them in the order of `LABELS`."""
    rows: list[Row] = [
        (f"paper: {title}", SPLIT_WORDS["random"], *(100 * v for v in values)) for title, values in paper.items()
    ]
    for (title, split), own in grouped(results).items():
        cells = [per_cent([r.figures["per_class"][label][measure] for r in own]) for label in LABELS]
        rows.append((title, SPLIT_WORDS[split], *cells))
    name = {"f1": "F1", "recall": "Accuracy"}[measure]
    return Table(
        title=f"{name} of each class (%)", columns=("network", "split", *LABELS), rows=tuple(rows), note=SPLIT_NOTE
    )


def pictures(runner: Runner, part: str, results: Sequence[Result], *, curves: bool = True) -> tuple[Picture, ...]:
    """Draw the first seed's confusion matrix of each network and split, and the curves of all."""
    folder = runner.study.folder("pictures")
    made: list[Picture] = []
    firsts = [own[0] for own in grouped(results).values()]
    for index, result in enumerate(firsts):
        caption = f"{result.title}, {SPLIT_WORDS[result.split]}: accuracy {100 * result.accuracy:.1f} %"
        path = folder / f"{part}-{result.key}-{result.split}-{index}-confusion.png"
        confusion_png(path, result.figures["confusion"], LABELS, caption)
        made.append(Picture(path=f"pictures/{path.name}", caption=caption))
    if curves and all("history" in result.figures for result in firsts):
        path = folder / f"{part}-curves.png"
        curves_png(path, *(_named(result) for result in firsts), title="Accuracy and loss, inner part dashed")
        made.append(Picture(path=f"pictures/{path.name}", caption="Training (solid) and inner part (dashed)"))
    return tuple(made)


def _named(result: Result) -> dict[str, Any]:
    return {**result.figures["history"], "name": f"{result.title}, {result.split}"}


def for_programs(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return every result's figures as JSON."""
    return [
        {"network": r.key, "title": r.title, "split": SPLIT_WORDS[r.split], "seed": r.seed, **r.figures}
        for r in results
    ]
