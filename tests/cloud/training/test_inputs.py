"""The speakers that a training sets aside."""

from dataclasses import replace
from pathlib import Path

import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.inputs import set_aside
from overtone_cloud.training.settings import TrainSettings
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.gate import GateSpec


@pytest.fixture(scope="module")
def features(voices: Path, cache: Path) -> Features:
    return extract(read_corpus(voices).labelled, EDGE_FRONT_END, GateSpec(), cache=cache)


def test_speakers_are_set_aside_whole(features: Features) -> None:
    train, inner = set_aside(features, TrainSettings(inner_fraction=0.3))
    names = [{u.speaker for u in each.utterances} for each in (train, inner)]
    assert len(names[1]) == 2
    assert not names[0] & names[1]
    assert len(train) + len(inner) == len(features)


def test_utterances_without_speakers_are_set_aside_one_by_one(features: Features) -> None:
    nameless = replace(features, utterances=tuple(replace(u, speaker=None) for u in features.utterances))
    train, inner = set_aside(nameless, TrainSettings())
    assert len(inner) == round(0.15 * len(features))
    assert len(train) + len(inner) == len(features)


def test_nobody_is_set_aside_where_the_settings_want_none(features: Features) -> None:
    train, inner = set_aside(features, TrainSettings(inner_fraction=0.0))
    assert (train, len(inner)) == (features, 0)
