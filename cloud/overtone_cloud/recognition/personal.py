"""Measure: gain of the personal head, trained by the device's own code on a few utterances of an unseen speaker."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.recognition.subject import Subject
from overtone_models.front_end import F32
from overtone_models.metrics import Targets, unweighted_average_recall

PER_EMOTION = 5
MIN_TEST_PER_EMOTION = 2
DRAWS = 10
MIN_SHARED = 4
"""Least number of utterances that share their emotion with another: a device needs them to cross-validate a head."""

METHOD = 2
"""Incremented when devices learn or cross-validate differently, so that stored results are not reused."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One random choice of labelled utterances: UAR 0..1 on the rest with the bundle's head and with the new one.

    `kept` is the device's own decision, by the given utterances alone: of the `judged` ones recall 0..1 and loss
    in nats, before and after, and what the loss had to fall by.
    """

    uar: float
    uar_new: float
    kept: bool
    judged: int
    judged_uar: tuple[float, float]
    judged_loss: tuple[float, float]
    margin: float

    @property
    def uar_personal(self) -> float:
        """The UAR with the head that the device uses afterwards."""
        return self.uar_new if self.kept else self.uar


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Results of one unseen speaker: some utterances train the device, the rest test it, in several draws."""

    speaker: str
    given: int
    tested: int
    draws: tuple[Draw, ...]

    @property
    def uar(self) -> float:
        """Mean UAR with the bundle's head."""
        return float(np.mean([draw.uar for draw in self.draws]))

    @property
    def uar_personal(self) -> float:
        """Mean UAR with the head that the device uses after learning."""
        return float(np.mean([draw.uar_personal for draw in self.draws]))

    @property
    def uar_always(self) -> float:
        """Mean UAR if the device kept every head."""
        return float(np.mean([draw.uar_new for draw in self.draws]))

    @property
    def kept(self) -> float:
        """The share of draws whose head the device keeps."""
        return float(np.mean([draw.kept for draw in self.draws]))

    def to_json(self) -> dict[str, Any]:
        """Return means and draws, rounded to a hundredth of a per cent."""
        means = {name: round(getattr(self, name), 4) for name in ("uar", "uar_personal", "uar_always", "kept")}
        draws = [{name: _rounded(value) for name, value in asdict(draw).items()} for draw in self.draws]
        return {"speaker": self.speaker, "given": self.given, "tested": self.tested, **means, "draws": draws}


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(v, 4) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def personalise_speakers(subject: Subject, *, per_emotion: int = PER_EMOTION, draws: int = DRAWS) -> list[Owner]:
    """Return the results of each test speaker; a speaker with too few utterances to learn from is left out."""
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


def draw_rows(
    targets: Targets, per_emotion: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows given to the device and those tested, drawn within each emotion.

    `per_emotion` of an emotion are given where at least two are left to test, else half of them.
    """
    labelled: list[int] = []
    for label in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == label))
        count = per_emotion if len(rows) >= per_emotion + MIN_TEST_PER_EMOTION else len(rows) // 2
        labelled.extend(int(row) for row in rows[:count])
    given_rows = np.array(sorted(labelled), np.int64)
    return given_rows, np.setdiff1d(np.arange(len(targets)), given_rows)


def _owner(
    subject: Subject, device: Any, speaker: str, rows: NDArray[np.int64], per_emotion: int, draws: int, number: int
) -> Owner | None:
    mfcc = [subject.test.mfcc(int(row)) for row in rows]
    targets = subject.test.targets(subject.model.labels)[rows]
    embeddings = np.stack([device.recogniser.embedding(x) for x in mfcc])
    parts = [draw_rows(targets, per_emotion, np.random.default_rng([number, draw])) for draw in range(draws)]
    counts = np.bincount(targets[parts[0][0]], minlength=1)
    if counts[counts > 1].sum() < MIN_SHARED:
        return None
    results = tuple(_draw(device, mfcc, targets, embeddings, given_rows, rest) for given_rows, rest in parts)
    return Owner(speaker=speaker, given=len(parts[0][0]), tested=len(parts[0][1]), draws=results)


def _draw(
    device: Any,
    mfcc: Sequence[F32],
    targets: Targets,
    embeddings: F32,
    labelled: NDArray[np.int64],
    rest: NDArray[np.int64],
) -> Draw:
    """Return the results of training on the labelled utterances, measured on the rest."""
    labels = device.bundle.manifest.labels
    head, report = device.personalise([(mfcc[row], labels[targets[row]]) for row in labelled])

    def uar(weights: F32 | None) -> float:
        device.recogniser.set_head(weights)
        predicted = device.recogniser.probabilities(embeddings[rest]).argmax(1)
        device.recogniser.set_head(None)
        return unweighted_average_recall(predicted, targets[rest], len(labels))

    return Draw(
        uar=uar(None),
        uar_new=uar(head),
        kept=bool(report["kept"]),
        judged=int(report["judged"]),
        judged_uar=(float(report["uar_before"]), float(report["uar_after"])),
        judged_loss=(float(report["loss_before"]), float(report["loss_after"])),
        margin=float(report["loss_margin"]),
    )
