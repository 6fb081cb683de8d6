"""Terms and labels of the registered corpora, and the licence lines of models that follow from them."""

import re
from dataclasses import MISSING, fields, replace

import pytest

from overtone_cloud.corpora.corpus import Corpus
from overtone_cloud.corpora.registry import (
    CORPORA,
    corpus_names,
    pretrained_licence,
    temporary_corpus,
    training_licence,
)
from overtone_cloud.errors import CorpusError
from overtone_models.labels import EMOTIONS

RESTRICTION = re.compile(r"NC|not for commercial|research|on request|non-commercial")


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA.keys())
def test_every_corpus_states_its_terms(corpus: Corpus) -> None:
    for text in (corpus.licence, corpus.model_terms, corpus.page, corpus.language, corpus.title):
        assert text.strip() and "\n" not in text
    restricted = bool(RESTRICTION.search(corpus.licence) or RESTRICTION.search(corpus.model_terms))
    assert corpus.commercial is not restricted


def test_terms_cannot_be_left_out() -> None:
    optional = {f.name for f in fields(Corpus) if f.default is not MISSING or f.default_factory is not MISSING}
    assert not optional & {"licence", "model_terms", "commercial", "labels", "official"}


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA.keys())
def test_models_of_restricted_corpora_are_non_commercial(corpus: Corpus) -> None:
    for line in (training_licence(corpus.name), pretrained_licence([corpus.name, "manifest"])):
        assert ("non-commercial" in line) is not corpus.commercial
        assert corpus.model_terms in line


def test_licence_lines_of_known_models_stay_as_they_are() -> None:
    assert training_licence("ravdess") == "CC BY-NC-SA 4.0 (RAVDESS): non-commercial, share alike"
    assert training_licence("manifest") == "as the training data"
    assert pretrained_licence({"tess", "emodb"}) == (
        "non-commercial research only, as the recordings it was trained on: free for research with citation (EmoDB); "
        "CC BY-NC-ND 4.0 (TESS): non-commercial, no derivatives of the recordings"
    )


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA.keys())
def test_labels_are_lower_case_and_lead_to_emotions(corpus: Corpus) -> None:
    assert set(corpus.labels.values()) <= set(EMOTIONS)
    assert all(own == own.lower() for own in (*corpus.labels, *corpus.affect))
    assert set(corpus.affect) <= set(corpus.labels)


@pytest.mark.parametrize(
    ("name", "own", "emotion"),
    [
        ("ravdess", "02", "calm"),
        ("tess", "ps", "surprised"),
        ("emodb", "W", "angry"),
        ("iemocap", "exc", "happy"),
        ("iemocap", "Frustration", "frustrated"),
        ("iemocap", "xxx", None),
        ("ravdess", "09", None),
    ],
)
def test_own_labels_stand_for_emotions(name: str, own: str, emotion: str | None) -> None:
    assert CORPORA[name].emotion_of(own) == emotion


def test_a_corpus_is_registered_once_and_for_the_block_only() -> None:
    with pytest.raises(CorpusError, match="a corpus 'tess' already"), temporary_corpus(CORPORA["tess"]):
        pytest.fail("registered")
    with temporary_corpus(replace(CORPORA["tess"], name="tess-2")):
        assert corpus_names()[-3:] == ("tess-2", "folders", "manifest")
    assert "tess-2" not in corpus_names()
