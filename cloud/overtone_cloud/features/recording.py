"""The feature of one recording, in whatever process or machine it is computed."""

import tempfile
from pathlib import Path
from typing import Any

from overtone_cloud.corpora import audio
from overtone_cloud.errors import AudioError
from overtone_models.errors import FrontEndError
from overtone_models.features.registry import spec_from_json
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32

Outcome = F32 | str
"""A feature, or in one line why there is none: an unreadable file must not end a corpus' extraction."""


def of_file(path: Path, spec: Feature) -> Outcome:
    """Return the feature of the sound in `path`."""
    try:
        return spec.compute(audio.load(path, sample_rate_hz=spec.sample_rate_hz))
    except AudioError as error:
        return str(error)
    except FrontEndError as error:
        return f"{path}: {error}"


def of_bytes(data: bytes, path: str, spec: dict[str, Any]) -> Outcome:
    """Return the feature of a file's bytes, on a machine that need not see the disk that `path` lies on."""
    with tempfile.TemporaryDirectory(prefix="overtone-") as folder:
        here = Path(folder) / "recording"
        here.write_bytes(data)
        outcome = of_file(here, spec_from_json(spec))
    return outcome.replace(str(here), path) if isinstance(outcome, str) else outcome
