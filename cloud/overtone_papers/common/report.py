"""A system's report: the paper's tables beside ours, what the paper leaves open, and which of its claims hold."""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

T = TypeVar("T")
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
QUICK = "quick run: says nothing"

Cell = str | float | int | None
"""None is shown as a dash; floats keep one decimal, so give per cent, not shares."""
DASH = "–"
VERDICTS = {True: "holds", False: "does not hold", None: "cannot be told here"}


def cell_text(cell: Cell) -> str:
    """Return a cell as reports show it."""
    if cell is None:
        return DASH
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a title; `note` says what a reader must know (the split, first of all)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG under the study's folder, by its relative path."""

    path: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class History:
    """Curves of one training, one value per epoch; shares are 0..1, losses nats, the val curves may be empty."""

    name: str = ""
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    epochs: int = 0
    best_epoch: int | None = None
    """Counted from 1: the epoch whose weights were restored, None where the last ones stay."""

    def to_json(self) -> dict[str, Any]:
        """Return the curves as JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Something the paper leaves open, and how it was chosen."""

    what: str
    chosen: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the paper, read honestly on this data; `holds` is None where the data cannot tell."""

    claim: str
    paper: str
    ours: str
    holds: bool | None


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a system: what split its figures stand on, and what came out.

    `split` states the kind, with the words "speakers shared" where they are.
    """

    name: str
    title: str
    split: str
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    """The same figures for programs (report.json): per seed, per class, per origin, confusion, curves."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that one run of a system gives."""

    parts: tuple[Part, ...]
    choices: tuple[Choice, ...] = ()
    claims: tuple[Claim, ...] = ()


def choices_of(text: str, **values: object) -> tuple[Choice, ...]:
    """Return the choices of lines `what | chosen | why`; an indented line goes on, `{name}` stands for a value."""
    lines = re.sub(r"\n {2,}", " ", text.strip()).splitlines()
    rows = ((cell.strip().format_map(values) for cell in line.split(" | ")) for line in lines)
    return tuple(Choice(what=what, chosen=chosen, why=why) for what, chosen, why in rows)


Verdict = tuple[str, bool | None]
"""What we found, in words, and whether the claim holds."""


def claim(words: str, paper: str) -> Callable[[Callable[[T], Verdict | None]], Callable[[T], Claim | None]]:
    """Return a decorator: a function from figures to a verdict becomes one from figures to a claim of the paper.

    The function returns None where the figures do not tell of the claim at all.
    """

    def decorated(verdict_of: Callable[[T], Verdict | None]) -> Callable[[T], Claim | None]:
        def read(figures: T) -> Claim | None:
            verdict = verdict_of(figures)
            return None if verdict is None else Claim(claim=words, paper=paper, ours=verdict[0], holds=verdict[1])

        return read

    return decorated


def judged(
    readers: Iterable[Callable[[T], Claim | None]], figures: T, *, quick: bool = False, why: str = QUICK
) -> tuple[Claim, ...]:
    """Return the claims that the figures tell of; a quick run judges none."""
    claims = [read for reader in readers if (read := reader(figures)) is not None]
    return tuple(replace(read, ours=f"{read.ours} ({why})", holds=None) if quick else read for read in claims)
