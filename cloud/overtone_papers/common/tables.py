"""Tables from templates: each column a heading with the place of its figure in a training's result.

    table("Each training", {"network": "network", "UAR %": "scores.uar"}, results)
    table("Means", {"UAR %": "scores.uar"}, grouped(results, "network", "split"), heads=("network", "split"))

A result is the JSON of one training. A row is one result, or a group of them, whose mean is shown; `heads` are the
headings of a mapping's keys. A figure under a heading with "%" is a share, and shown times 100. A function in the
place of a path gives the cell itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from overtone_models.metrics import f1_scores, precisions, recalls
from overtone_papers.common.report import Cell, Table

Result = Mapping[str, Any]
Group = Sequence[Result]
Columns = Mapping[str, str | Callable[[Any], Cell]]
CLASS_COLUMNS = ("recall %", "precision %", "F1 %", "utterances")


def table(
    title: str,
    columns: Columns,
    rows: Iterable[Any] | Mapping[tuple[Any, ...], Any],
    *,
    heads: Sequence[str] = (),
    paper: Iterable[tuple[Cell, ...]] = (),
    note: str = "",
) -> Table:
    """Return a table with the paper's rows above ours."""
    labelled = rows.items() if isinstance(rows, Mapping) else (((), row) for row in rows)
    ours = ((*labels, *(_cell(head, place, row) for head, place in columns.items())) for labels, row in labelled)
    return Table(title=title, columns=(*heads, *columns), rows=(*paper, *ours), note=note)


def grouped(results: Iterable[Result], *places: str) -> dict[tuple[Any, ...], list[Result]]:
    """Return the results by these figures, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(at(result, place) for place in places), []).append(result)
    return groups


def at(result: Result, place: str, *otherwise: Any) -> Any:
    """Return the figure at a place such as `scores.uar`, or `otherwise` where there is none."""
    figure: Any = result
    for name in place.split("."):
        if otherwise and name not in figure:
            return otherwise[0]
        figure = figure[name]
    return figure


def mean_of(results: Group, place: str) -> float:
    """Return the mean of a figure over results."""
    return float(np.mean([at(r, place) for r in results]))


def summed(results: Group, place: str = "scores.confusion") -> list[list[int]]:
    """Return the sum of the results' confusions."""
    total: list[list[int]] = np.sum([at(r, place) for r in results], axis=0).tolist()
    return total


def over_seeds(results: Group, figure: Callable[[Group], float]) -> tuple[float, float | None]:
    """Return mean and sample deviation of a figure over seeds; the deviation of one seed is None."""
    values = [figure(group) for group in grouped(results, "seed").values()]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def class_rows(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[tuple[Cell, ...]]:
    """Return name, recall, precision and F1 in per cent, and count of each class; None where there is none."""
    counts = np.asarray(confusion)
    shares = np.stack([recalls(counts), precisions(counts), f1_scores(counts)], 1)
    shares[counts.sum(1) == 0, 2] = np.nan
    cells = ((None if np.isnan(share) else float(100 * share) for share in row) for row in shares)
    return [(name, *row, int(n)) for name, row, n in zip(names, cells, counts.sum(1), strict=True)]


def per_cent(part: int, whole: int) -> float | None:
    """Return a share in per cent, None of nothing."""
    return 100 * part / whole if whole else None


def _cell(heading: str, place: str | Callable[[Any], Cell], row: Any) -> Cell:
    if callable(place):
        return place(row)
    figure = at(row, place) if isinstance(row, Mapping) else mean_of(row, place)
    if "%" in heading and figure is not None:
        return float(100 * figure)
    return figure if isinstance(figure, (str, int, float)) or figure is None else str(figure)
