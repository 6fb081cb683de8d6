"""Output that several commands share: progress lines, findings, scores and figures as tables."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from overtone_cloud.recognition.report import figure_cells
from overtone_cloud.training.metrics import Scores

PLAIN_WIDTH = 120
"""Columns of tables that go to a file or a pipe."""
SHOWN_NAMES = 5


def timed_lines() -> Callable[[str], None]:
    """Return a function that writes progress lines to stderr, each with the seconds since this call."""
    start_s = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - start_s:6.0f} s] {line}\n")
        sys.stderr.flush()

    return say


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while the block runs, nothing where that is no terminal.

    What it yields is called with the number done, and of all.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    hidden = not sys.stderr.isatty()
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=hidden) as progress:
        task = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def wide_console() -> Console:
    """Return a console on stdout: as wide as the terminal, or `PLAIN_WIDTH` columns where there is none."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def show_findings(findings: Mapping[str, object], *, as_json: bool) -> None:
    """Print the findings of a check, one per line or as JSON."""
    if as_json:
        print(json.dumps(findings, indent=1))
        return
    for name, value in findings.items():
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        print(f"{name.replace('_', ' '):24} {text}")


def show_skipped(ids: Sequence[str], reason: str = "unreadable or without 100 ms of speech") -> None:
    """Name on stderr the utterances that were left out, with their count."""
    if ids:
        more = f" and {len(ids) - SHOWN_NAMES} more" if len(ids) > SHOWN_NAMES else ""
        print(
            f"overtone: {len(ids)} utterances skipped, {reason}: {', '.join(ids[:SHOWN_NAMES])}{more}",
            file=sys.stderr,
        )


def show_scores(result: Scores, split: str, fold: str) -> None:
    """Print the tables of one evaluation."""
    console = Console()
    console.print(f"[bold]UAR {100 * result.uar:.1f} %[/]  {split}; fold {fold}")
    console.print(
        f"accuracy {100 * result.accuracy:.1f} %  macro F1 {100 * result.macro_f1:.1f} %  "
        f"calibration error {100 * result.calibration_error:.1f} %  "
        f"decided {100 * result.decided:.0f} % of utterances, {100 * result.accuracy_when_decided:.1f} % of them right"
    )
    table = Table("emotion", "recall %", "precision %", "utterances")
    totals = result.confusion.sum(1)
    for label, recall, precision, n in zip(result.labels, result.recalls, result.precisions, totals, strict=True):
        table.add_row(label, f"{100 * recall:.1f}", f"{100 * precision:.1f}", str(n))
    console.print(table)
    speakers = Table("speaker", "UAR %")
    for speaker, uar in result.per_speaker.items():
        speakers.add_row(speaker, f"{100 * uar:.1f}")
    console.print(speakers)


def figure_table(title: str, caption: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of figures (as JSON) with their targets."""
    table = Table("figure", title=title, caption=caption)
    for heading in ("mean ± sd", "target", "met"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*figure_cells(row))
    return table
