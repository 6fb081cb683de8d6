"""Divisions of the pool: disjoint, stratified at random, and by speaker in each corpus."""

from collections import Counter
from pathlib import Path

import pytest

from overtone_cloud.corpora.utterance import Utterance
from overtone_papers.ensembles.data import divide, thinned


def labels(people, ids):
    by_id = {u.id: u.label for u in people}
    return [by_id[i] for i in ids]


def speakers(people, ids, corpus=""):
    return {u.speaker for u in people if u.id in ids and u.corpus.startswith(corpus)}


@pytest.mark.parametrize("kind", ["random", "speaker"])
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_parts_are_disjoint_and_whole(people, kind, seed):
    division = divide(people, kind, seed=seed)
    assert sorted((*division.train, *division.inner, *division.test)) == sorted(u.id for u in people)


def test_random_test_part_is_a_stratified_fifth(people):
    division = divide(people, "random", seed=0)
    counts = Counter(labels(people, division.test))
    assert set(counts.values()) <= {7, 8}  # 36 of each class


def test_random_part_depends_on_the_seed(people):
    first, again, other = (divide(people, "random", seed=seed).test for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("seed", range(6))
def test_speakers_tested_are_heard_in_no_other_part(people, seed):
    division = divide(people, "speaker", seed=seed)
    tested = speakers(people, division.test)
    assert not tested & speakers(people, (*division.train, *division.inner))
    assert Counter(speaker.split("/")[0] for speaker in tested) == {"tess": 1, "ravdess": 2}


def test_inner_speakers_are_whole_where_there_are_enough(people):
    division = divide(people, "speaker", seed=0)
    inner = speakers(people, division.inner, "ravdess")
    assert inner
    assert not inner & speakers(people, division.train)


def test_quick_keeps_every_class(people):
    division = divide(people * 1, "random", seed=0, quick=True)
    assert len(set(labels(people, division.test))) == 7


def test_thinning_keeps_shares():
    crowd = [
        Utterance(id=f"{n:03}", path=Path(f"{n}"), corpus="own", label="happy" if n < 80 else "sad") for n in range(100)
    ]
    drawn = thinned(crowd, 10, 0)
    assert Counter(labels(crowd, drawn)) == {"happy": 8, "sad": 2} and list(drawn) == sorted(drawn)
    assert thinned(crowd, 100, 0) == tuple(u.id for u in crowd)
