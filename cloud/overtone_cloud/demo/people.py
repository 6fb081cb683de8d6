"""Who does what in the demonstration: base speakers, device owners, and speakers nobody has heard."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.files import write_atomically

DEVICES = 4
LABELLED_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class People:
    """Speakers by their part; every speaker has one part only."""

    base: tuple[str, ...]
    devices: tuple[str, ...]
    test: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for reports."""
        return (
            f"by speaker: base {', '.join(self.base)}; devices {', '.join(self.devices)}; "
            f"unseen test {', '.join(self.test)}"
        )


def choose_people(reading: Reading) -> People:
    """Return the parts: four devices, somewhat less than half of the others as base, the rest as test.

    The order is the corpus' own, so nothing is chosen by result.
    """
    speakers = [s for s in reading.speakers if any(u.speaker == s for u in reading.labelled)]
    others = len(speakers) - DEVICES
    if others < 3:
        raise CorpusError(
            f"{reading.root} has {len(speakers)} labelled speakers, the demo needs at least {DEVICES + 3}"
        )
    base = max(2, round(others * 0.45))
    return People(
        base=tuple(speakers[:base]),
        devices=tuple(speakers[base : base + DEVICES]),
        test=tuple(speakers[base + DEVICES :]),
    )


def spoken_by(utterances: Iterable[Utterance], speakers: Sequence[str]) -> list[Utterance]:
    """Return the labelled utterances of some speakers."""
    wanted = set(speakers)
    return [u for u in utterances if u.label is not None and u.speaker in wanted]


def divide_owner(utterances: Sequence[Utterance], seed: int) -> tuple[list[Utterance], list[Utterance]]:
    """Return what the owner labels and what is kept to measure the personal gain, each label in both."""
    rng = np.random.default_rng(seed)
    labelled: list[Utterance] = []
    kept: list[Utterance] = []
    for label in sorted({str(u.label) for u in utterances}):
        of_label = [u for u in utterances if u.label == label]
        order = rng.permutation(len(of_label))
        cut = max(1, round(LABELLED_SHARE * len(of_label)))
        labelled += [of_label[i] for i in order[:cut]]
        kept += [of_label[i] for i in order[cut:]]
    return labelled, kept


def write_manifest(path: Path, utterances: Sequence[Utterance]) -> Path:
    """Write a CSV manifest with absolute paths and return its path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "speaker", "label", "sentence"))
    for u in utterances:
        writer.writerow((u.path.resolve(), u.speaker, u.label, u.sentence or ""))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())
    return path
