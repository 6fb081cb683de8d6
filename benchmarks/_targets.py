"""Figures with their targets, and the table of both."""

import json
from collections.abc import Iterable
from typing import Any

HEADER = ("figure", "measured", "target", "")
STATES = {True: "met", False: "NOT met", None: "not measured"}


def figure(name: str, measured: float, unit: str = "") -> dict[str, Any]:
    """Return a figure without a target, for information."""
    return {"figure": name, "measured": float(measured), "unit": unit}


def at_least(figure: str, measured: float | None, limit: float, unit: str = "") -> dict[str, Any]:
    """Return a figure that is to be no less than `limit`; `measured` None where it could not be taken."""
    return _target(figure, measured, "at least", limit, unit, None if measured is None else measured >= limit)


def at_most(figure: str, measured: float | None, limit: float, unit: str = "") -> dict[str, Any]:
    """Return a figure that is to be no more than `limit`; `measured` None where it could not be taken."""
    return _target(figure, measured, "at most", limit, unit, None if measured is None else measured <= limit)


def _target(
    figure: str, measured: float | None, relation: str, limit: float, unit: str, met: bool | None
) -> dict[str, Any]:
    return {
        "figure": figure,
        "measured": None if measured is None else float(measured),
        "relation": relation,
        "limit": float(limit),
        "unit": unit,
        "met": met,
    }


def table(reports: Iterable[dict[str, Any]]) -> str:
    """Return the targets of all reports as one table, each report under its name; then how many are met."""
    rows: list[tuple[str, ...]] = []
    targets: list[dict[str, Any]] = []
    for report in reports:
        rows.append((report["benchmark"].replace("_", " "), "", "", report.get("error", "")))
        for target in report.get("targets", ()):
            rows.append(_row(target))
            if "limit" in target:
                targets.append(target)
    counts = {state: sum(target["met"] is state for target in targets) for state in STATES}
    summary = ", ".join(f"{count} {STATES[state]}" for state, count in counts.items() if count)
    return "\n".join([*_align([HEADER, *rows]), "", summary or "no figure has a target"])


def columns(header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Return plain rows under a header; numbers as they are."""
    return "\n".join(_align([header, *(tuple(map(str, row)) for row in rows)]))


def _row(target: dict[str, Any]) -> tuple[str, ...]:
    unit = f" {target['unit']}" if target["unit"] else ""
    measured = "-" if target["measured"] is None else f"{target['measured']:.4g}{unit}"
    if "limit" not in target:
        return f"  {target['figure']}", measured, "", ""
    return f"  {target['figure']}", measured, f"{target['relation']} {target['limit']:g}{unit}", STATES[target["met"]]


def _align(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def dumps(report: dict[str, Any]) -> str:
    """Return a report as JSON."""
    return json.dumps(report, indent=1)
