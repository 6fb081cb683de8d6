"""Results of measures, stored with each run, so that an interrupted benchmark repeats no measure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overtone_cloud.errors import TrainingError
from overtone_cloud.recognition.measures import Measure, Result
from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.recognition.subject import Subject
from overtone_common.files import write_atomically
from overtone_models.digests import digest_mapping
from overtone_models.layout import weights_digest

FOLDER = "measures"
VERSION = 1
"""Grows when measures give other numbers for the same settings, so that stored results are not reused."""


@dataclass(frozen=True, kw_only=True)
class TrainingResults:
    """Every measure's result of one training, by the measure's name."""

    fold: str
    seed: int
    results: Mapping[str, Result]

    def predictions(self, measure: str) -> Predictions:
        """Return the predictions of a measure."""
        return Predictions.from_json(self.results[measure]["predictions"])


def take(measure: Measure, subject: Subject, begin: Callable[[], None] = lambda: None) -> Result:
    """Return a measure's result: the stored one where model, test part and settings are the same, else a new one.

    `begin` is called before a measure is taken.
    """
    path = subject.folder / FOLDER / f"{measure.name}.json"
    key = key_of(measure, subject)
    stored = _read(path)
    if stored is not None and stored["key"] == key:
        result: Result = stored["result"]
        return result
    begin()
    result = measure.run(subject)
    text = json.dumps({"key": key, "result": result}, ensure_ascii=False)
    write_atomically(path, text.encode(), error=TrainingError)
    # Parsed again, so that a new result equals a stored one (tuples become lists).
    reread: Result = json.loads(text)["result"]
    return reread


def key_of(measure: Measure, subject: Subject) -> str:
    """Return the digest of everything that a measure's result depends on."""
    model = subject.model
    return digest_mapping(
        {
            "measure": measure.name,
            "version": VERSION,
            "settings": json.loads(json.dumps(measure.settings)),
            "weights": weights_digest(model.weights),
            "calibration": asdict(model.calibration),
            "front_end": model.front_end.digest,
            "gate": asdict(model.gate),
            "test": [u.id for u in subject.test.utterances],
        }
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) and {"key", "result"} <= set(stored) else None
