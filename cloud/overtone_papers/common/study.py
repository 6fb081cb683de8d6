"""One run of one system: its corpora and options, and a resumable step for each piece of work.

A step's result is stored as JSON in `out/steps` with a digest of its inputs: an interrupted run goes on with the first
step that is not there, and a step whose inputs changed is done again.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import TrainingError
from overtone_common.files import write_atomically
from overtone_models.digests import digest_mapping
from overtone_models.features.spec import Feature
from overtone_models.front_end import F32
from overtone_papers.common.options import read_options

Json = Any
T = TypeVar("T")


def no_log(_line: str) -> None:
    """Discard a log line."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a system's `run` works with; `log(line)` shows progress, `jobs` processes extract features.

    `kept_seconds` gathers what the steps of earlier runs took, so that a report tells the whole cost.
    """

    system: str
    readings: Mapping[str, Reading]
    parts: tuple[str, ...]
    out: Path
    seeds: int = 1
    quick: bool = False
    cache: Path | None = None
    jobs: int = 2
    ray: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    log: Callable[[str], None] = no_log
    kept_seconds: list[float] = field(default_factory=list)

    def settings(self, schema: type[T]) -> T:
        """Return the options as settings of a schema (`options.read_options`)."""
        return read_options(schema, self.options, quick=self.quick)

    def extract(self, utterances: Sequence[Utterance], feature: Feature) -> tuple[tuple[Utterance, ...], list[F32]]:
        """Return the utterances that can be read, and a feature array for each; the log names the others."""
        from overtone_cloud.features.extraction import extract

        arrays = extract(utterances, feature, cache=self.cache, jobs=self.jobs, ray=self.ray, log=self.log)
        readable = [(u, x) for u, x in zip(utterances, arrays, strict=True) if x is not None]
        return tuple(u for u, _ in readable), [x for _, x in readable]

    @property
    def digests(self) -> dict[str, str]:
        """The corpora's digests by name: an input of every step that reads them."""
        return {name: reading.digest for name, reading in self.readings.items()}

    def step(self, name: str, work: Callable[[], Json], *, makes: Sequence[Path] = (), **inputs: Json) -> Json:
        """Return `work()`'s JSON, or the one of an earlier run with the same inputs and corpora.

        `inputs` must hold everything that changes the result: network, fold, seed, epochs. `makes` are files
        that the step leaves (a trained network, a picture): without one of them the step is done again.
        """
        key = digest_mapping({"corpora": self.digests, "quick": self.quick, "inputs": inputs})
        path = self.out / "steps" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.json"
        stored = _read(path)
        if stored is not None and stored.get("key") != key:
            self.log(f"{name}: done again, the earlier run had other inputs or was of another version")
        elif stored is not None and all(file.is_file() for file in makes):
            self.log(f"{name}: kept from an earlier run")
            self.kept_seconds.append(float(stored.get("seconds", 0.0)))
            return stored["result"]
        self.log(name)
        started = time.monotonic()
        result = work()
        seconds = round(time.monotonic() - started, 3)
        text = json.dumps({"key": key, "seconds": seconds, "result": result}, indent=1, allow_nan=False)
        write_atomically(path, text.encode() + b"\n", error=TrainingError)
        return json.loads(text)["result"]

    def folder(self, name: str) -> Path:
        """Return a folder under `out`, made where it is not there: for pictures and trained networks."""
        path = self.out / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{path} cannot be made: {error.strerror or error}") from error
        return path


def _read(path: Path) -> dict[str, Any] | None:
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) and "result" in stored else None
