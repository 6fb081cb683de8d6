"""One schema of options: defaults, quick defaults, limits, spelling, and one line for what cannot be."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from overtone_cloud.errors import ConfigError
from overtone_papers.common.options import (
    described,
    flag,
    folders,
    number,
    path,
    quick_constant,
    read_options,
    whole,
    word,
    words,
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    epochs: int = whole(50, "epochs of a training", quick=12)
    groups: int | None = whole(None, "speaker groups", 2, 100, unset="up to 5")
    max_s: float = number(10.0, "seconds of an utterance", 0.5, 60.0)
    scale: str = word("none", "how features are scaled", ("none", "standard"))
    splits: tuple[str, ...] = words(("random", "tail"), "which splits", ("random", "tail", "EF-CS"))
    members: tuple[str, ...] = words(("a", "b"), "an ensemble", ("a", "b", "c"), least=2)
    sizes: bool = flag("other sizes too")
    table: Path | None = path("a CSV file")
    speech: tuple[Path, ...] = folders("folders of speech")
    folds: int = quick_constant(5, 2)
    rate: float = 1e-3


def test_defaults_stand_in_the_schema_alone() -> None:
    assert read_options(Settings, {}) == Settings()
    assert described(Settings)["epochs"] == ("epochs of a training; --quick takes 12", "50")
    defaults = {name: default for name, (_, default) in described(Settings).items()}
    assert defaults == {
        "epochs": "50",
        "groups": "up to 5",
        "max-s": "10",
        "scale": "none",
        "splits": "random,tail",
        "members": "a,b",
        "sizes": "no",
        "table": "none",
        "speech": "none",
    }


def test_every_default_can_be_given_as_it_is_shown() -> None:
    given = {name: default for name, (_, default) in described(Settings).items()}
    assert read_options(Settings, given) == Settings()


def test_quick_changes_what_nobody_asked_for() -> None:
    assert read_options(Settings, {}, quick=True) == Settings(epochs=12, folds=2)
    assert read_options(Settings, {"epochs": "50"}, quick=True).epochs == 50


def test_an_underscore_counts_as_a_hyphen_and_words_come_in_either_case(tmp_path: Path) -> None:
    given = {"max_s": "2.5", "splits": "tail, ef-cs", "sizes": "yes", "speech": f"{tmp_path},{tmp_path}"}
    assert read_options(Settings, given) == Settings(
        max_s=2.5, splits=("tail", "EF-CS"), sizes=True, speech=(tmp_path, tmp_path)
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epochs", "0", "option epochs is 0, limit is 1..100000"),
        ("epochs", "2.5", "option epochs is '2.5'; it must be a whole number"),
        ("epochs", "-3", "option epochs is -3, limit is 1..100000"),
        ("epochs", "²", "option epochs is '²'; it must be a whole number"),
        ("groups", "1", "option groups is 1, limit is 2..100"),
        ("max-s", "nan", "option max-s is nan, it must be a finite number"),
        ("max_s", "61", "option max-s is 61.0, limit is 0.5..60"),
        ("scale", "half", "option scale is 'half'; it takes none, standard"),
        ("splits", "random,random", "option splits is 'random,random'; it takes random, tail, EF-CS, each once"),
        ("members", "a", "option members is 'a'; it takes 2 or more"),
        ("sizes", "maybe", "option sizes is 'maybe'; it takes yes or no"),
        ("speech", "nowhere/at/all", "option speech is 'nowhere/at/all'; nowhere/at/all is not a folder"),
    ],
)
def test_what_cannot_be_is_one_line(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_options(Settings, {name: text})
    assert str(caught.value) == message


def test_a_constant_is_no_option() -> None:
    assert {"folds", "rate"}.isdisjoint(described(Settings))
    assert read_options(Settings, {"folds": "9", "rate": "1"}) == Settings()
