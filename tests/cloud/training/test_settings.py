"""Training settings; bad ones from a TOML file are in tests/cloud/cli/test_train.py."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from overtone_cloud.errors import ConfigError
from overtone_cloud.training.augment import Augmentation
from overtone_cloud.training.settings import TrainSettings


def test_json_gives_the_same_settings() -> None:
    settings = TrainSettings(size="S", seed=4, augmentation=Augmentation(conditioned=0.0))
    assert TrainSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_whole_numbers_serve_where_a_number_is_wanted() -> None:
    assert TrainSettings.from_json({"dropout": 0}).dropout == 0


LIMITS = {one.name: (one.metadata["low"], one.metadata["high"]) for one in fields(TrainSettings) if one.metadata}


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_names_its_field(name: str) -> None:
    low, high = LIMITS[name]
    for value in (low - 1, high * 2 + 1):
        with pytest.raises(ConfigError, match=f"training setting {name} is .*, limit is {low:g}"):
            replace(TrainSettings(), **{name: type(getattr(TrainSettings(), name))(value)})


def test_errors_name_the_file() -> None:
    with pytest.raises(ConfigError, match=r"train\.toml: unknown key 'lr'"):
        TrainSettings.from_json({"lr": 1}, where="train.toml")
    with pytest.raises(ConfigError, match=r"train\.toml: \[augmentation\] unknown key 'x'"):
        TrainSettings.from_json({"augmentation": {"x": 1}}, where="train.toml")
    with pytest.raises(ConfigError, match=r"train\.toml: epochs is 0"):
        TrainSettings.from_json({"epochs": 0}, where="train.toml")
    with pytest.raises(ConfigError, match=r"train\.toml: \[augmentation\] conditioned is 2"):
        TrainSettings.from_json({"augmentation": {"conditioned": 2}}, where="train.toml")


@pytest.mark.parametrize("found", ["x", [1], None])
def test_settings_are_a_table(found: Any) -> None:
    with pytest.raises(ConfigError, match=r"config\.json: must be a table of sections or keys, got "):
        TrainSettings.from_json(found, where="config.json")


def test_patience_must_reach_the_first_evaluation() -> None:
    with pytest.raises(ConfigError, match="patience_epochs is 4, limit is evaluate_every_epochs = 5"):
        TrainSettings(patience_epochs=4)
