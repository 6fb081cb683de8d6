"""Voting: the mean, the genetic algorithm's operators, and the weights of its search."""

import numpy as np
import pytest

from overtone_papers.common import scoring
from overtone_papers.ensembles.voting import GeneticSettings, combined, macro_f1, normalised, search_weights


@pytest.fixture(scope="module")
def members():
    """One good member, one fair one and two that guess: `(4, n, 7)` probabilities, and the truth."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 7, 280)
    probabilities = []
    for skill in (0.8, 0.6, 0.0, 0.0):
        answers = np.where(generator.random(280) < skill, y, generator.integers(0, 7, 280))
        probabilities.append(0.6 * np.eye(7)[answers] + 0.4 * generator.dirichlet(np.ones(7), 280))
    return np.stack(probabilities).astype(np.float32), y


def test_mean_is_a_distribution(members):
    np.testing.assert_allclose(combined(members[0]).sum(1), 1.0, atol=1e-5)


def test_fitness_is_the_reported_f1(members):
    x, y = members
    reported = scoring.scores(combined(x), y, tuple("abcdefg"))["macro_f1"]
    assert macro_f1(combined(x).argmax(1), y, 7) == pytest.approx(reported, abs=1e-6)


def test_weights_sum_to_one_and_beat_the_mean_where_they_were_searched(members):
    x, y = members
    weighting = search_weights(x, y, seed=0, settings=GeneticSettings(generations=15, restarts=2))
    assert weighting.weights.sum() == pytest.approx(1.0)
    assert (weighting.weights >= 0).all()
    assert weighting.fitness == pytest.approx(macro_f1(combined(x, weighting.weights).argmax(1), y, 7), abs=1e-3)
    assert weighting.fitness > macro_f1(combined(x).argmax(1), y, 7)
    assert weighting.weights.argmax() == 0 or weighting.weights[0] > 0.25


def test_same_seed_finds_the_same(members):
    settings = GeneticSettings(generations=5, restarts=1)
    one, other = (search_weights(*members, seed=3, settings=settings) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)


def test_more_generations_are_never_worse(members):
    """The elite lives on, so that the best of a longer search from the same start is at least as good."""
    short, long = (
        search_weights(*members, seed=1, settings=GeneticSettings(generations=n, restarts=1)) for n in (2, 20)
    )
    assert long.fitness >= short.fitness


def test_genes_that_are_all_zero_become_equal():
    np.testing.assert_allclose(normalised(np.array([[0.0, 0.0], [1.0, 3.0]])), [[0.5, 0.5], [0.25, 0.75]])
