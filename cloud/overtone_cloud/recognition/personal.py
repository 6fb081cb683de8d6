"""Measure: the personal head, learned by the device's own code from a few labelled utterances of an unseen speaker."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.recognition.subject import Subject
from overtone_cloud.training.metrics import Targets, unweighted_average_recall
from overtone_models.front_end import F32

PER_EMOTION = 5
LEFT = 2
DRAWS = 3
LEAST = 4
"""Utterances of one emotion of which the device holds at least one out."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One unseen speaker, means over draws of what is labelled; UAR 0..1 of the utterances not given to the device.

    `uar` is with the bundle's head, `uar_personal` with what the device uses after learning (it keeps a new head
    only where its held-out part confirms it), `uar_always` if it kept every head. `kept` is the share of draws.
    """

    speaker: str
    given: int
    tested: int
    uar: float
    uar_personal: float
    uar_always: float
    worst_gain: float
    kept: float

    @property
    def gain(self) -> float:
        """What the personal head gains, in UAR 0..1."""
        return self.uar_personal - self.uar

    def to_json(self) -> dict[str, Any]:
        """Return the values rounded to a hundredth of a per cent."""
        return {name: round(v, 4) if isinstance(v, float) else v for name, v in asdict(self).items()}


def personalise_speakers(subject: Subject, *, per_emotion: int = PER_EMOTION, draws: int = DRAWS) -> list[Owner]:
    """Return what each test speaker gains; a speaker without enough utterances to learn from is left out."""
    from overtone_converters.device import Device

    device = Device(subject.bundle)
    who = [str(u.speaker) for u in subject.test.utterances]
    owners = []
    for number, speaker in enumerate(sorted(set(who))):
        rows = np.flatnonzero([name == speaker for name in who])
        owner = _owner(subject, device, speaker, rows, per_emotion, draws, number)
        if owner is not None:
            owners.append(owner)
    return owners


def drawn_rows(
    targets: Targets, per_emotion: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows given to the device and those tested, drawn within each emotion.

    `per_emotion` of an emotion are given where at least two are left to test, else half of them.
    """
    given: list[int] = []
    for label in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == label))
        count = per_emotion if len(rows) >= per_emotion + LEFT else len(rows) // 2
        given.extend(int(row) for row in rows[:count])
    chosen = np.array(sorted(given), np.int64)
    return chosen, np.setdiff1d(np.arange(len(targets)), chosen)


def _owner(
    subject: Subject, device: Any, speaker: str, rows: NDArray[np.int64], per_emotion: int, draws: int, number: int
) -> Owner | None:
    mfcc = [subject.test.mfcc(int(row)) for row in rows]
    targets = subject.test.targets(subject.model.labels)[rows]
    embeddings = np.stack([device.recogniser.embedding(x) for x in mfcc])
    drawn = [drawn_rows(targets, per_emotion, np.random.default_rng([number, draw])) for draw in range(draws)]
    if np.bincount(targets[drawn[0][0]], minlength=1).max() < LEAST:
        return None
    outcomes = [_outcome(device, mfcc, targets, embeddings, given, rest) for given, rest in drawn]
    base, personal, always = (float(np.mean([o[i] for o in outcomes])) for i in range(3))
    return Owner(
        speaker=speaker,
        given=len(drawn[0][0]),
        tested=len(drawn[0][1]),
        uar=base,
        uar_personal=personal,
        uar_always=always,
        worst_gain=min(o[1] - o[0] for o in outcomes),
        kept=float(np.mean([o[3] for o in outcomes])),
    )


def _outcome(
    device: Any,
    mfcc: Sequence[F32],
    targets: Targets,
    embeddings: F32,
    given: NDArray[np.int64],
    rest: NDArray[np.int64],
) -> tuple[float, float, float, bool]:
    """Return the UAR of the rest with the base head, with what the device keeps, with the new head, and if kept."""
    labels = device.bundle.manifest.labels
    head, report = device.personalise([(mfcc[row], labels[targets[row]]) for row in given])

    def uar(weights: F32 | None) -> float:
        device.recogniser.set_head(weights)
        predicted = device.recogniser.probabilities(embeddings[rest]).argmax(1)
        device.recogniser.set_head(None)
        return unweighted_average_recall(predicted, targets[rest], len(labels))

    base, always = uar(None), uar(head)
    return base, always if report["kept"] else base, always, bool(report["kept"])
