"""Who takes part in a round: eligibility and selection, pure and deterministic by seed."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Policy = Literal["examples", "longest-waiting"]
POLICIES: tuple[Policy, ...] = ("examples", "longest-waiting")


@dataclass(frozen=True, kw_only=True)
class ModelKey:
    """What a device and the aggregator must have in common to add up weights (32-byte digests)."""

    base: bytes
    layout: bytes
    front_end: bytes


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A device that is present, as it last described itself."""

    device: str
    model: ModelKey | None
    examples: int
    last_selected: int = -1
    """Number of the last round it was selected for; -1 when there was none."""


def eligible(candidates: Iterable[Candidate], *, model: ModelKey, min_examples: int) -> tuple[Candidate, ...]:
    """Return the candidates that hold `model` and enough examples, each once, ordered by device id."""
    found = {c.device: c for c in candidates if c.model == model and c.examples >= max(1, min_examples)}
    return tuple(found[device] for device in sorted(found))


def select(
    candidates: Iterable[Candidate], *, count: int, policy: Policy, seed: int, round_number: int
) -> tuple[str, ...]:
    """Return at most `count` device ids, sorted.

    "examples" draws without replacement with probability by example count (Efraimidis and Spirakis,
    2006); "longest-waiting" takes those not selected for longest, ties by lot. Same seed and round,
    same cohort, whatever the order of the candidates.
    """
    pool = sorted(candidates, key=lambda c: c.device)
    draw = random.Random(f"{seed}:{round_number}")
    lots = {c.device: draw.random() for c in pool}
    if policy == "examples":
        ranked = sorted(pool, key=lambda c: (-(lots[c.device] ** (1.0 / max(1, c.examples))), c.device))
    else:
        ranked = sorted(pool, key=lambda c: (c.last_selected, lots[c.device], c.device))
    return tuple(sorted(c.device for c in ranked[:count]))
