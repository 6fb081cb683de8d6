"""Roles of speakers in the demonstration: base training, device owners, the aggregator's gate, unseen test."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_common.files import write_atomically

DEVICES = 4
LABELLED_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class SpeakerRoles:
    """Speakers by role; every speaker has one role only.

    The base is trained on one gender, and the devices belong to the other: federation is for users
    unlike the corpus. `gate` speakers tell the aggregator whether to keep a model; `test`
    speakers are used only in the closing table.
    """

    base: tuple[str, ...]
    devices: tuple[str, ...]
    gate: tuple[str, ...]
    test: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for reports."""
        return (
            f"by speaker: base {', '.join(self.base)}; devices {', '.join(self.devices)}; "
            f"aggregator's gate {', '.join(self.gate)}; unseen test {', '.join(self.test)}"
        )


def assign_speakers(reading: Reading) -> SpeakerRoles:
    """Return the roles, in the corpus' own order: nothing is chosen by result.

    Where the corpus does not give genders, the speakers are assigned alternately.
    """
    first, second = _two_groups(reading)
    base = max(2, round(0.7 * len(first)))
    devices, others = second[:DEVICES], second[DEVICES:] + first[base:]
    if len(devices) < DEVICES or len(others) < 3:
        counts = f"{len(first)} and {len(second)} labelled speakers of either gender"
        raise CorpusError(f"{reading.root} has {counts}, the demo needs at least {DEVICES + 7}, 5 of each gender")
    gate = others[1::3]
    return SpeakerRoles(
        base=tuple(first[:base]),
        devices=tuple(devices),
        gate=tuple(gate),
        test=tuple(speaker for speaker in others if speaker not in gate),
    )


def _two_groups(reading: Reading) -> tuple[list[str], list[str]]:
    genders = {str(u.speaker): u.gender for u in reading.labelled if u.speaker is not None}
    speakers = sorted(genders)
    kinds = sorted({g for g in genders.values() if g is not None}, reverse=True)
    if len(kinds) != 2 or None in genders.values():
        return speakers[0::2], speakers[1::2]
    return [s for s in speakers if genders[s] == kinds[0]], [s for s in speakers if genders[s] == kinds[1]]


def utterances_of(utterances: Iterable[Utterance], speakers: Sequence[str]) -> list[Utterance]:
    """Return the labelled utterances of some speakers."""
    names = set(speakers)
    return [u for u in utterances if u.label is not None and u.speaker in names]


def split_owner_utterances(utterances: Sequence[Utterance], seed: int) -> tuple[list[Utterance], list[Utterance]]:
    """Return the utterances that the owner labels and those that measure the personal gain, each label in both."""
    rng = np.random.default_rng(seed)
    labelled: list[Utterance] = []
    held_out: list[Utterance] = []
    for label in sorted({str(u.label) for u in utterances}):
        of_label = [u for u in utterances if u.label == label]
        order = rng.permutation(len(of_label))
        count = max(1, round(LABELLED_SHARE * len(of_label)))
        labelled += [of_label[i] for i in order[:count]]
        held_out += [of_label[i] for i in order[count:]]
    return labelled, held_out


def write_manifest(path: Path, utterances: Sequence[Utterance]) -> Path:
    """Write a CSV manifest with absolute paths and return its path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "speaker", "label", "sentence"))
    for u in utterances:
        writer.writerow((u.path.resolve(), u.speaker, u.label, u.sentence or ""))
    write_atomically(path, text.getvalue().encode(), error=CorpusError)
    return path
