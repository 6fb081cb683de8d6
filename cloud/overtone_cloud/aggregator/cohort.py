"""Client selection: eligibility and choice of the cohort of a round, pure and deterministic by seed."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Policy = Literal["examples", "longest-waiting"]
POLICIES: tuple[Policy, ...] = ("examples", "longest-waiting")


@dataclass(frozen=True, kw_only=True)
class ModelKey:
    """Digests (32 bytes) that a device and the aggregator must share before weights can be averaged."""

    base: bytes
    layout: bytes
    front_end: bytes


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An online device, by its last presence message."""

    device: str
    model: ModelKey | None
    examples: int
    last_selected: int = -1
    """Number of the last round it was selected for; -1 for none."""


def eligible(candidates: Iterable[Candidate], *, model: ModelKey, min_examples: int) -> tuple[Candidate, ...]:
    """Return the candidates with this model and enough examples, one per device, ordered by device id."""
    by_device = {c.device: c for c in candidates if c.model == model and c.examples >= max(1, min_examples)}
    return tuple(by_device[device] for device in sorted(by_device))


def select(
    candidates: Iterable[Candidate], *, count: int, policy: Policy, seed: int, round_number: int
) -> tuple[str, ...]:
    """Return at most `count` device ids, sorted.

    "examples" draws without replacement with probability by example count (Efraimidis and Spirakis,
    2006); "longest-waiting" takes those whose last selection is longest ago, ties at random. The same seed and round
    give the same cohort, in whatever order the candidates come.
    """
    pool = sorted(candidates, key=lambda c: c.device)
    draw = random.Random(f"{seed}:{round_number}")
    lots = {c.device: draw.random() for c in pool}
    if policy == "examples":
        ranked = sorted(pool, key=lambda c: (-(lots[c.device] ** (1.0 / max(1, c.examples))), c.device))
    else:
        ranked = sorted(pool, key=lambda c: (c.last_selected, lots[c.device], c.device))
    return tuple(sorted(c.device for c in ranked[:count]))
