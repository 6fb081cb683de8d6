"""The three criteria for folds, IEMOCAP's own, and what a script gives away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError
from overtone_papers.fusion.data import LABELS, Settings, usable
from overtone_papers.fusion.folds import CRITERIA, look_up, make

Make = Callable[..., Any]
SETTINGS = Settings(folds=2, script_folds=2)


def shared(given: list[Utterance], criterion: str, what: str) -> bool:
    """Return whether any fold tests a speaker or script that it trains on."""
    by_id = {u.id: u for u in given}
    _, folds = make("made", given, criterion, SETTINGS)
    return any({getattr(by_id[i], what) for i in f.train} & {getattr(by_id[i], what) for i in f.test} for f in folds)


@pytest.mark.parametrize(
    ("criterion", "speakers", "scripts"),
    [("random", True, True), ("speaker", False, True), ("speaker-script", False, False)],
)
def test_a_criterion_keeps_apart_what_it_says(utterances: Make, criterion: str, speakers: bool, scripts: bool) -> None:
    given = utterances()
    assert shared(given, criterion, "speaker") is speakers
    assert shared(given, criterion, "sentence") is scripts


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_utterance_is_tested_once(utterances: Make, criterion: str) -> None:
    given = utterances()
    split, folds = make("made", given, criterion, SETTINGS)
    tested = [i for fold in folds for i in fold.test]
    assert sorted(tested) == sorted(u.id for u in given)
    assert ("speakers shared" in split) is (criterion == "random")


def test_quick_trains_some_folds_and_says_so(utterances: Make) -> None:
    split, folds = make("made", utterances(), "speaker-script", replace(SETTINGS, tested_folds=2))
    assert [fold.name for fold in folds] == ["speakers 1, scripts 1", "speakers 2, scripts 2"]
    assert split.endswith("only 2 of them trained")


def test_too_few_speakers_name_the_option(utterances: Make) -> None:
    with pytest.raises(CorpusError, match=r"corpus made, folds by speaker: 2 speakers .* --option folds=2 makes fewer"):
        make("made", utterances(speakers=2), "speaker", Settings(folds=5))


def test_iemocap_is_tested_on_its_third_script_only() -> None:
    given = [
        Utterance(
            id=f"{session}{sex}-{script}-{label}",
            path=Path("none"),
            corpus="iemocap",
            label=label,
            speaker=f"0{session}{sex}",
            session=str(session),
            sentence=script,
            text="words",
        )
        for session in (1, 2, 3)
        for sex in "FM"
        for script in ("impro01", "script01_1", "script03_1", "script03_2")
        for label in LABELS
    ]
    _, folds = make("iemocap", given, "speaker-script", Settings())
    assert len(folds) == 3
    for fold in folds:
        assert all("script03" in i for i in fold.test) and not any("script03" in i for i in fold.train)
        assert not {i[:2] for i in fold.train} & {i[:2] for i in fold.test}
        assert len(fold.test) == 16 and len(fold.train) == 2 * 2 * 2 * 4
    assert len(make("iemocap", given, "speaker", Settings())[1]) == 3


def test_other_classes_are_left_out_and_missing_ones_named(utterances: Make) -> None:
    given = utterances()
    extra = replace(given[0], id="x", label="fearful")
    assert len(usable("made", [*given, extra])) == len(given)
    with pytest.raises(CorpusError, match="corpus made has no utterance labelled angry"):
        usable("made", [u for u in given if u.label != "angry"])


def test_equal_words_are_one_script_where_none_is_named(utterances: Make) -> None:
    given = [replace(u, sentence=None) for u in utterances()]
    assert {u.sentence for u in usable("made", given)} == {f"these are the words of script {n}" for n in range(8)}


def test_looking_up_a_script_tells_what_the_folds_leak(utterances: Make) -> None:
    by_class = utterances(fixed=False)
    shares = look_up(by_class, by_class[:4])
    np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-6)
    assert [LABELS[k] for k in shares.argmax(1)] == [u.label for u in by_class[:4]]
    every_class = utterances()
    np.testing.assert_allclose(look_up(every_class, every_class[:4]), 0.25, atol=1e-3)
    np.testing.assert_allclose(look_up(by_class, [replace(by_class[0], sentence="new")]), 0.25)
