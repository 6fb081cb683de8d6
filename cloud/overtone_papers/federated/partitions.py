"""Dealing training utterances out to clients: at random, by emotion, by speaker, or by Dirichlet shares."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import ConfigError

I64 = NDArray[np.int64]


def at_random(rows: I64, clients: int, *, seed: int) -> list[I64]:
    """Return `clients` parts of `rows`, drawn without replacement, alike in size to one."""
    _enough(len(rows), clients)
    return [np.sort(part) for part in np.array_split(np.random.default_rng(seed).permutation(rows), clients)]


def by_emotion(rows: I64, y: I64) -> list[I64]:
    """Return one part for each class of `y` among `rows`: a client hears a single emotion."""
    return [rows[y[rows] == label] for label in np.unique(y[rows])]


def by_speaker(rows: I64, speakers: Sequence[str]) -> list[I64]:
    """Return one part for each speaker among `rows`, in the order of their names."""
    who = np.array(speakers)[rows]
    return [rows[who == speaker] for speaker in sorted(set(who.tolist()))]


def dirichlet(rows: I64, y: I64, clients: int, *, alpha: float, seed: int) -> list[I64]:
    """Return `clients` parts whose shares of every class are drawn from a symmetric Dirichlet distribution.

    A small `alpha` gives clients with few emotions, a large one clients that are alike (Hsu et al., 2019).
    Who is left with nothing gets an utterance of whoever has most.
    """
    _enough(len(rows), clients)
    if not (np.isfinite(alpha) and alpha > 0):
        raise ConfigError(f"alpha is {alpha}, it must be positive: 0.1 is skewed, 100 nearly even")
    draw = np.random.default_rng(seed)
    dealt: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(y[rows]):
        mixed = draw.permutation(rows[y[rows] == label])
        shares = draw.dirichlet(np.full(clients, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(mixed)).astype(np.int64)
        for hand, part in zip(dealt, np.split(mixed, cuts), strict=True):
            hand.extend(part.tolist())
    for hand in dealt:
        if not hand:
            hand.append(max(dealt, key=len).pop())
    return [np.sort(np.array(hand, np.int64)) for hand in dealt]


def _enough(rows: int, clients: int) -> None:
    if clients < 1 or rows < clients:
        raise ConfigError(f"{rows} utterances cannot be dealt to {clients} clients: every client needs one")
