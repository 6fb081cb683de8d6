"""The utterances on which int8 is compared with float: every inner one, as recorded and under each condition."""

from pathlib import Path

import numpy as np

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.pretraining.bundle_checks import PARITY_CONDITIONS, parity_utterances
from overtone_cloud.training.features import extract
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec
from overtone_models.labels import ordered


def test_every_utterance_is_heard_in_every_way_and_keeps_its_label(voices: Path, cache: Path) -> None:
    features = extract(read_corpus(voices).labelled[:6], EDGE_FRONT_END, GateSpec(), cache=cache)
    labels = ordered({str(u.label) for u in features.utterances})
    utterances, targets = parity_utterances(features, labels, cache=cache)
    assert len(PARITY_CONDITIONS) == 4
    assert len(utterances) == 5 * len(features)
    np.testing.assert_array_equal(targets.reshape(5, -1), np.tile(features.targets(labels), (5, 1)))
    for row in range(len(features)):
        ways = utterances[row :: len(features)]
        np.testing.assert_array_equal(ways[0], features.mfcc(row))
        assert all(not np.array_equal(ways[0], way) for way in ways[1:])
