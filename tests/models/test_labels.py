"""Labels: one list, one table of the corpora's own codes."""

import pytest

from overtone_models.errors import LabelError
from overtone_models.labels import CORPUS_LABELS, EMOTIONS, SYNONYMS, canonical_label, corpus_label, ordered


def test_every_table_leads_to_a_known_label() -> None:
    tables = [*CORPUS_LABELS.values(), SYNONYMS]
    assert {label for table in tables for label in table.values()} <= set(EMOTIONS)
    assert all(key == key.lower() for table in tables for key in table)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("happy", "happy"),
        (" Happiness ", "happy"),
        ("EXCITEMENT", "happy"),
        ("pleasant surprise", "surprised"),
        ("calm", "calm"),
    ],
)
def test_everyday_spellings(text: str, label: str) -> None:
    assert canonical_label(text) == label


@pytest.mark.parametrize("text", ["", "hungry", "happy!"])
def test_unknown_spelling_names_what_is_known(text: str) -> None:
    with pytest.raises(LabelError, match=r"unknown label .*known labels are neutral, calm"):
        canonical_label(text)


@pytest.mark.parametrize(
    ("corpus", "own", "label"),
    [("ravdess", "02", "calm"), ("tess", "ps", "surprised"), ("emodb", "W", "angry"), ("iemocap", "exc", "happy")],
)
def test_corpus_codes(corpus: str, own: str, label: str) -> None:
    assert corpus_label(corpus, own) == label


def test_unknown_corpus_or_code() -> None:
    with pytest.raises(LabelError, match="no label table for corpus 'x'"):
        corpus_label("x", "01")
    with pytest.raises(LabelError, match="corpus ravdess has no label '09'"):
        corpus_label("ravdess", "09")


def test_ordered_keeps_the_projects_order() -> None:
    assert ordered({"sad", "neutral", "angry"}) == ("neutral", "sad", "angry")
