"""Writing of a pretrained model's folder: bundle, split, settings, card and its data."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overtone_cloud.bundles.sources import calibration_utterances, golden
from overtone_cloud.errors import TrainingError
from overtone_cloud.pretraining.bundle_checks import parity_utterances
from overtone_cloud.pretraining.card import card
from overtone_cloud.pretraining.card_data import Release, card_data
from overtone_cloud.pretraining.training import PretrainingResult
from overtone_cloud.recognition.limits import Limits, check_bundle
from overtone_cloud.training.settings import TrainSettings
from overtone_common.files import write_atomically
from overtone_converters.verify import Verification
from overtone_models.bundle import read_bundle
from overtone_models.pretrained import PretrainedModel


def write_pretrained(
    result: PretrainingResult, release: Release, out: Path, *, cache: Path | None = None
) -> tuple[PretrainedModel, Verification]:
    """Write `out/NAME` and return it with the verification; nothing is written where that refuses the bundle.

    The bundle is written last: where it exists, all other files do.
    """
    from overtone_converters.build import build_bundle
    from overtone_converters.verify import verify_bundle
    from overtone_models.networks import native_stderr_silenced

    with native_stderr_silenced():
        data = build_bundle(
            result.model,
            calibration_utterances(result.train, cache=cache),
            golden(),
            name=release.name,
            version=release.version,
            created=result.finished,
        )
    bundle = read_bundle(data)
    check_bundle(bundle, Limits())
    verification = verify_bundle(bundle, *parity_utterances(result.inner, result.model.labels, cache=cache))
    verification.require()
    facts = card_data(release, result, data, verification)
    folder = PretrainedModel(out / release.name)
    write_atomically(folder.settings, as_toml(release.settings).encode(), error=TrainingError)
    result.split.save(folder.split)
    write_card(folder, facts)
    write_atomically(folder.bundle, data, error=TrainingError)
    return folder, verification


def write_card(folder: PretrainedModel, facts: Mapping[str, Any]) -> None:
    """Write the card's data, and the card that follows from them."""
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    # Read back: the card must follow from the file.
    write_atomically(folder.card_data, text.encode(), error=TrainingError)
    write_atomically(folder.card, card(json.loads(text)).encode(), error=TrainingError)


def as_toml(settings: TrainSettings) -> str:
    """Return training settings as TOML that names every value, so that later defaults change nothing.

    Raises TrainingError where the text would not give the same settings again.
    """
    values = settings.to_json()
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    text = _toml_lines(plain)
    for name, table in values.items():
        if isinstance(table, Mapping):
            text += f"\n[{name}]\n{_toml_lines(table)}"
    if TrainSettings.from_json(tomllib.loads(text)) != settings:
        raise TrainingError("the training settings cannot be written as TOML")
    return text


def _toml_lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items() if value is not None)
