"""Training settings as a TOML file that names every value, so that later defaults change nothing."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from overtone_cloud.errors import TrainingError
from overtone_cloud.training.settings import TrainSettings


def as_toml(settings: TrainSettings) -> str:
    """Return the file; raise TrainingError where it would not give the same settings again."""
    values = settings.to_json()
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    text = _lines(plain)
    for name, table in values.items():
        if isinstance(table, Mapping):
            text += f"\n[{name}]\n{_lines(table)}"
    if TrainSettings.from_json(tomllib.loads(text)) != settings:
        raise TrainingError("the training settings cannot be written as TOML")
    return text


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items() if value is not None)
