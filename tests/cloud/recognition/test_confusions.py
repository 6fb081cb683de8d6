"""Results by gender, and what was taken for what."""

from pathlib import Path

import numpy as np

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.recognition.predictions import Predictions, confusion, gender_uar, genders_of

LABELS = ("sad", "angry")


def said(*rows: tuple[str, int, int | None]) -> Predictions:
    """Return predictions of `(speaker, target, predicted)`; None is nothing heard."""
    probabilities = np.array([[0.0, 0.0] if p is None else np.eye(2)[p] * 0.8 + 0.1 for _, _, p in rows], np.float32)
    return Predictions(
        LABELS,
        tuple(str(n) for n in range(len(rows))),
        tuple(speaker for speaker, _, _ in rows),
        np.array([target for _, target, _ in rows]),
        probabilities,
        np.zeros(len(rows), np.float32),
    )


def test_each_gender_is_scored_over_all_of_its_speakers() -> None:
    found = said(("a", 0, 0), ("a", 1, 1), ("b", 0, 1), ("b", 1, 1), ("c", 0, 0), ("c", 1, 0))
    assert gender_uar(found, {"a": "female", "b": "female", "c": "male"}) == {"female": 0.75, "male": 0.5}


def test_rows_are_what_was_spoken_and_nothing_heard_is_a_column() -> None:
    assert confusion(said(("a", 0, 0), ("a", 0, 1), ("a", 0, None), ("a", 1, 1))) == [[1, 1, 1], [0, 1, 0]]


def test_a_gender_that_a_corpus_does_not_tell_is_called_so() -> None:
    told = Utterance(id="1", path=Path("1"), corpus="x", label="sad", speaker="a", gender="male")
    untold = Utterance(id="2", path=Path("2"), corpus="x", label="sad", speaker="b")
    assert genders_of(Reading(corpus="x", root=Path(), utterances=(told, untold))) == {"a": "male", "b": "not told"}
