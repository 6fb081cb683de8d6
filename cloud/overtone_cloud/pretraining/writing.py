"""From a finished training to the folder that the software ships: bundle, split, settings, facts, card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overtone_cloud.bundles.sources import calibration_utterances, golden
from overtone_cloud.errors import TrainingError
from overtone_cloud.pretraining.card import card
from overtone_cloud.pretraining.card_data import Release, card_data
from overtone_cloud.pretraining.parity import parity_utterances
from overtone_cloud.pretraining.settings_file import as_toml
from overtone_cloud.pretraining.training import Trained
from overtone_cloud.recognition.limits import Limits, check_bundle
from overtone_common.files import write_atomically
from overtone_converters.verify import Verification
from overtone_models.bundle import read_bundle
from overtone_models.pretrained import Pretrained


def write_pretrained(
    trained: Trained, release: Release, out: Path, *, cache: Path | None = None
) -> tuple[Pretrained, Verification]:
    """Write `out/NAME` and return it with what the checks found; nothing is written where they refuse.

    The bundle comes last: what is found by its name has everything else beside it.
    """
    from overtone_converters.build import build_bundle
    from overtone_converters.verify import verify_bundle
    from overtone_models.networks import native_stderr_silenced

    with native_stderr_silenced():
        data = build_bundle(
            trained.model,
            calibration_utterances(trained.train, cache=cache),
            golden(),
            name=release.name,
            version=release.version,
            created=trained.finished,
        )
    bundle = read_bundle(data)
    check_bundle(bundle, Limits())
    found = verify_bundle(bundle, *parity_utterances(trained.inner, trained.model.labels, cache=cache))
    found.require()
    facts = card_data(release, trained, data, found)
    made = Pretrained(out / release.name)
    write_atomically(made.settings, as_toml(release.settings).encode(), error=TrainingError)
    trained.split.save(made.split)
    write_card(made, facts)
    write_atomically(made.bundle, data, error=TrainingError)
    return made, found


def write_card(made: Pretrained, facts: Mapping[str, Any]) -> None:
    """Write the facts and the card that follows from them."""
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    # Read back: the card must follow from the file, not from what it was made of.
    write_atomically(made.card_data, text.encode(), error=TrainingError)
    write_atomically(made.card, card(json.loads(text)).encode(), error=TrainingError)
