"""Divisions of the pool: disjoint, stratified at random, and by speaker in each corpus."""

from collections import Counter

import numpy as np
import pytest

from overtone_papers.ensembles.division import divide, thinned


@pytest.mark.parametrize("kind", ["random", "speaker"])
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_parts_are_disjoint_and_whole(people, kind, seed):
    division = divide(people, kind, seed=seed)
    rows = np.concatenate([division.train, division.inner, division.test])
    assert sorted(rows) == list(range(len(people)))


def test_random_test_part_is_a_stratified_fifth(people):
    division = divide(people, "random", seed=0)
    counts = Counter(people[row].label for row in division.test)
    assert set(counts.values()) <= {7, 8}  # 36 of each class


def test_random_part_depends_on_the_seed(people):
    first, again, other = (divide(people, "random", seed=seed).test for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(6))
def test_speakers_tested_are_heard_in_no_other_part(people, seed):
    division = divide(people, "speaker", seed=seed)
    tested = {people[row].speaker for row in division.test}
    heard = {people[row].speaker for row in [*division.train, *division.inner]}
    assert not tested & heard
    assert Counter(speaker.split(":")[0] for speaker in tested) == {"tess": 1, "ravdess": 2}


def test_inner_speakers_are_whole_where_there_are_enough(people):
    division = divide(people, "speaker", seed=0)
    inner = {people[row].speaker for row in division.inner if people[row].corpus == "ravdess"}
    trained = {people[row].speaker for row in division.train}
    assert inner
    assert not inner & trained


def test_quick_keeps_every_class(people):
    division = divide(people * 1, "random", seed=0, quick=True)
    assert len({people[row].label for row in division.test}) == 7


def test_thinning_keeps_shares():
    labels = ["a"] * 80 + ["b"] * 20
    kept = thinned(np.arange(100), labels, 10, 0)
    assert Counter(labels[row] for row in kept) == {"a": 8, "b": 2}
    assert len(thinned(np.arange(100), labels, 100, 0)) == 100
