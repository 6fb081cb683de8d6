"""Federated averaging against a plain loop."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_cloud.aggregator.averaging import average, spread
from overtone_cloud.aggregator.server_optimizers import ServerSgd


def plain_fed_avg(
    base: Sequence[float], deltas: Sequence[Sequence[float]], examples: Sequence[int], rate: float
) -> list[float]:
    """Plain-loop reference, written like the paper's pseudocode."""
    total = sum(examples)
    weights = []
    for position in range(len(base)):
        mean = 0.0
        for delta, count in zip(deltas, examples, strict=True):
            mean += count / total * delta[position]
        weights.append(base[position] + rate * mean)
    return weights


def fed_avg(base: np.ndarray, deltas: Sequence[np.ndarray], examples: Sequence[int], rate: float = 1.0) -> np.ndarray:
    weights, state = ServerSgd(learning_rate=rate).apply(base, average(deltas, examples), None)
    assert state is None
    return weights


def updates(seed: int, devices: int, size: int = 20) -> tuple[np.ndarray, list[np.ndarray], list[int]]:
    rng = np.random.default_rng(seed)
    deltas = [rng.normal(size=size).astype(np.float32) for _ in range(devices)]
    return rng.normal(size=size).astype(np.float32), deltas, [int(n) for n in rng.integers(1, 500, devices)]


@given(seed=st.integers(0, 1000), devices=st.integers(1, 8), rate=st.floats(0.1, 2.0))
def test_equals_the_plain_loop(seed: int, devices: int, rate: float) -> None:
    base, deltas, examples = updates(seed, devices)
    got = fed_avg(base, deltas, examples, rate)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, plain_fed_avg(base, deltas, examples, rate), atol=1e-6)


@given(seed=st.integers(0, 1000), order=st.permutations(range(6)))
def test_order_of_arrival_does_not_change_a_bit(seed: int, order: list[int]) -> None:
    base, deltas, examples = updates(seed, 6)
    shuffled = fed_avg(base, [deltas[i] for i in order], [examples[i] for i in order])
    assert np.array_equal(shuffled, fed_avg(base, deltas, examples))


def test_equal_updates_leave_their_own_mean() -> None:
    base, deltas, _ = updates(1, 1)
    np.testing.assert_allclose(fed_avg(base, deltas * 5, [1, 2, 3, 4, 5]), base + deltas[0], atol=1e-6)


def test_a_head_moves_the_head_alone() -> None:
    assert spread(np.ones(3), slice(7, 10), 10).tolist() == [0.0] * 7 + [1.0] * 3
    with pytest.raises(ValueError, match="part holds 3 weights, the mean has 4"):
        spread(np.ones(4), slice(7, 10), 10)


def test_nothing_cannot_be_averaged() -> None:
    with pytest.raises(ValueError, match="0 deltas"):
        average([], [])
    with pytest.raises(ValueError, match="at least 1"):
        average([np.ones(2, np.float32)], [0])
    with pytest.raises(ValueError, match="differ in shape"):
        average([np.ones(2, np.float32), np.ones(3, np.float32)], [1, 1])
