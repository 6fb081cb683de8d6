"""Clients' shares of the training utterances: every utterance goes to exactly one client."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_cloud.errors import ConfigError
from overtone_papers.federated.data import dirichlet_clients, emotion_clients, random_clients, speaker_clients

Y = np.repeat([0, 1, 2, 3], [30, 20, 10, 40])
ROWS = np.arange(100)[::2]
SPEAKERS = [f"ravdess:{i % 7:02d}" for i in range(100)]


def dealt_once(parts: list[np.ndarray]) -> bool:
    return sorted(np.concatenate(parts).tolist()) == ROWS.tolist() and all(len(part) for part in parts)


@given(clients=st.integers(1, 50), seed=st.integers(0, 99))
def test_random_clients_are_alike_in_size(clients: int, seed: int) -> None:
    parts = random_clients(ROWS, clients, seed=seed)
    assert dealt_once(parts) and len(parts) == clients
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_client_hears_one_emotion_or_one_speaker() -> None:
    by_emotion = emotion_clients(ROWS, Y)
    assert dealt_once(by_emotion) and [set(Y[part].tolist()) for part in by_emotion] == [{0}, {1}, {2}, {3}]
    by_speaker = speaker_clients(ROWS, SPEAKERS)
    assert dealt_once(by_speaker) and len(by_speaker) == 7
    assert all(len({SPEAKERS[row] for row in part}) == 1 for part in by_speaker)


@given(clients=st.integers(1, 20), alpha=st.sampled_from([0.01, 0.5, 100.0]), seed=st.integers(0, 99))
def test_dirichlet_clients_are_never_empty(clients: int, alpha: float, seed: int) -> None:
    parts = dirichlet_clients(ROWS, Y, clients, alpha=alpha, seed=seed)
    assert dealt_once(parts) and len(parts) == clients


def test_a_small_alpha_is_skewed_and_a_large_one_even() -> None:
    def largest_share(alpha: float) -> float:
        shares = []
        for seed in range(20):
            for part in dirichlet_clients(ROWS, Y, 4, alpha=alpha, seed=seed):
                shares.append(np.bincount(Y[part]).max() / len(part))
        return float(np.mean(shares))

    assert largest_share(0.05) > 0.8 > 0.5 > largest_share(1000.0)


def test_the_seed_decides() -> None:
    for deal in (
        lambda seed: random_clients(ROWS, 4, seed=seed),
        lambda seed: dirichlet_clients(ROWS, Y, 4, alpha=1.0, seed=seed),
    ):
        first, again, other = deal(1), deal(1), deal(2)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_too_many_clients_and_a_bad_alpha_are_refused() -> None:
    with pytest.raises(ConfigError, match="50 utterances cannot be dealt to 51 clients"):
        random_clients(ROWS, 51, seed=0)
    with pytest.raises(ConfigError, match=r"alpha is 0\.0, it must be positive"):
        dirichlet_clients(ROWS, Y, 4, alpha=0.0, seed=0)
