"""Weighted mean of client updates, as in federated averaging (McMahan et al., 2017).

Sums are in float64 and in an order that depends on the content of the updates alone, so that the result is
bit-identical for any order of arrival. `server_optimizers` applies the mean to the weights.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def average(deltas: Sequence[F32], examples: Sequence[int]) -> F64:
    """Return the `(n,)` mean of `(n,)` deltas weighted by example counts.

    Raises ValueError for an empty list, and for counts or shapes that do not match.
    """
    if not deltas or len(deltas) != len(examples):
        raise ValueError(f"{len(deltas)} deltas and {len(examples)} example counts cannot be averaged")
    if min(examples) < 1:
        raise ValueError(f"smallest example count is {min(examples)}, it must be at least 1")
    if len({delta.shape for delta in deltas}) != 1:
        raise ValueError("deltas of one round differ in shape")
    total = np.zeros(deltas[0].shape, dtype=np.float64)
    for index in _canonical_order(deltas, examples):
        total += float(examples[index]) * deltas[index].astype(np.float64)
    return total / float(sum(examples))


def spread(mean: F64, part: slice, size: int) -> F64:
    """Return a `(size,)` vector with `mean` in `part` and zeros elsewhere (for a head-only round)."""
    if len(range(*part.indices(size))) != mean.size:
        raise ValueError(f"part holds {len(range(*part.indices(size)))} weights, the mean has {mean.size}")
    whole = np.zeros(size, dtype=np.float64)
    whole[part] = mean
    return whole


def _canonical_order(deltas: Sequence[F32], examples: Sequence[int]) -> list[int]:
    """Return indices ordered by content: example count, then digest of the delta."""
    keys = [(count, hashlib.sha256(delta.tobytes()).digest()) for delta, count in zip(deltas, examples, strict=True)]
    return sorted(range(len(keys)), key=keys.__getitem__)
