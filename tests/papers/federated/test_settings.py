"""Options of system A: defaults, quick values, and one line for a bad value."""

from pathlib import Path

import pytest

from overtone_cloud.errors import ConfigError
from overtone_papers.common.options import described
from overtone_papers.common.study import Study
from overtone_papers.federated import data as module
from overtone_papers.federated.data import RECIPES, Settings


def study(*, quick: bool = False, **options: str) -> Study:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Study(system="A", readings={}, parts=("settings",), out=Path("out"), quick=quick, options=named)


def settings_of(study: Study) -> Settings:
    return study.settings(Settings)


def test_the_defaults_are_the_papers() -> None:
    settings = settings_of(study(engine="own"))
    assert (settings.epochs, settings.rounds, settings.clients_rounds, settings.batch) == (20, 20, 10, 20)
    assert settings.client_counts == (1, 2, 3, 4, 5, 6, 7, 8) and settings.splits == ("random", "speaker")
    assert {n: settings.recipe(n) for n in RECIPES} == RECIPES and not settings.spec.as_published


def test_quick_takes_fewer_rounds_of_the_same_networks() -> None:
    settings = settings_of(study(quick=True, engine="own"))
    assert settings.networks == ("a-dense", "a-conv", "a-lstm")
    assert (settings.epochs, settings.rounds, settings.client_counts) == (2, 1, (1, 4))


def test_the_engine_is_the_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_python", lambda: None)
    settings = settings_of(study())
    assert settings.engines == ("own",) and "TensorFlow Federated is not installed" in settings.engine_note
    monkeypatch.setattr(module, "find_python", lambda: Path("python"))
    assert settings_of(study()).engines == ("tff",)
    monkeypatch.setattr(module, "require_python", lambda: Path("python"))
    assert settings_of(study(engine="both")).engines == ("tff", "own")


def test_open_choices_are_options() -> None:
    settings = settings_of(study(engine="own", dropout="0.4", client_learning_rate="0.01", features="as-published"))
    assert {settings.recipe(n).dropout for n in RECIPES} == {0.4}
    assert {settings.recipe(n).client_learning_rate for n in RECIPES} == {0.01}
    assert settings.spec.as_published


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("engine", "fast", "option engine is 'fast'; it takes tff, own, both"),
        (
            "networks",
            "a-dense,b-cnn",
            "option networks is 'a-dense,b-cnn'; it takes a-dense, a-conv, a-lstm, each once",
        ),
        ("splits", "random,random", "option splits is 'random,random'; it takes random, speaker, each once"),
        ("rounds", "0", "option rounds is 0, limit is 1..10000"),
        ("rounds", "2.5", "option rounds is '2.5'; it must be a whole number"),
        ("alpha", "nan", "option alpha is nan, it must be a finite number"),
        ("dropout", "1", "option dropout is 1.0, limit is 0..0.95"),
        ("activation", "step", "option activation is 'step'; it takes relu, tanh, elu, linear"),
    ],
)
def test_a_bad_value_is_one_line(name: str, value: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(study(**({"engine": "own"} | {name: value})))
    assert str(caught.value) == text


def test_every_option_is_described() -> None:
    assert all(meaning and default for meaning, default in described(Settings).values())
