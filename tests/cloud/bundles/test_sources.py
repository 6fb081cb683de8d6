"""What a conversion takes from recordings."""

from pathlib import Path

import numpy as np

from overtone_cloud.bundles.sources import CALIBRATION_UTTERANCES, calibration_utterances
from overtone_cloud.conditions.conditioned_features import conditioned_mfcc
from overtone_cloud.conditions.conditions import Telephone
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.training.features import extract
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec


def test_every_other_utterance_that_sets_the_ranges_is_heard_over_the_telephone(voices: Path, cache: Path) -> None:
    train = extract(read_corpus(voices).labelled[:5], EDGE_FRONT_END, GateSpec(), cache=cache)
    found = calibration_utterances(train, cache=cache)
    called = conditioned_mfcc(train.utterances, train.spec, Telephone(), cache=cache)
    assert len(found) == len(train) == 5
    for row, mfcc in enumerate(found):
        expected = called[row] if row % 2 else train.mfcc(row)
        assert expected is not None
        np.testing.assert_array_equal(mfcc, expected)
    assert not np.array_equal(found[1], train.mfcc(1))


def test_they_are_spread_over_the_whole_corpus(voices: Path, cache: Path) -> None:
    train = extract(read_corpus(voices).labelled, EDGE_FRONT_END, GateSpec(), cache=cache)
    assert len(train) > CALIBRATION_UTTERANCES
    found = calibration_utterances(train, cache=cache)
    assert len(found) == CALIBRATION_UTTERANCES
    np.testing.assert_array_equal(found[0], train.mfcc(0))
    last = conditioned_mfcc(train.utterances[-1:], train.spec, Telephone(), cache=cache)[0]
    assert last is not None
    np.testing.assert_array_equal(found[-1], last)
