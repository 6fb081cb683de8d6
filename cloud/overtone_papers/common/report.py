"""A system's report: the paper's table beside ours, what was left open, and which claims hold."""

from dataclasses import dataclass, field, replace
from typing import Any

Cell = str | float | int | None
"""None is shown as a dash; floats keep one decimal, so give per cent, not shares."""


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

    def undecided(self, why: str = "quick run: says nothing") -> "Claim":
        """Return the claim with its figures and no verdict."""
        return replace(self, ours=f"{self.ours} ({why})", holds=None)


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
    """Everything one run of a system found."""

    parts: tuple[Part, ...]
    choices: tuple[Choice, ...] = ()
    claims: tuple[Claim, ...] = ()
