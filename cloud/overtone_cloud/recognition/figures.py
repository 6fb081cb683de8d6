"""Figures of a corpus: one value per seed from each measure's results, mean and deviation, and the target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.recognition.limits import Limits
from overtone_cloud.recognition.predictions import Predictions, pooled
from overtone_cloud.recognition.reliability import own_thresholds
from overtone_cloud.recognition.results import TrainingResults

LOSSES = {"noise": 8.0, "room": 8.0, "telephone": 6.0, "quiet": None, "loud": None}
LOSS_NAMES = {
    "noise": "UAR lost in noise (10 dB)",
    "room": "UAR lost by a far microphone",
    "telephone": "UAR lost by telephone",
    "quiet": "UAR lost when quiet (peak -30 dB)",
    "loud": "UAR lost when loud (peak -1 dB)",
}
MAX_ANGRY_PERCENT = 5.0
PERCENT, POINTS = "%", "points"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A limit for the mean over seeds, or with `every` for each seed's value."""

    sign: str
    limit: float
    every: bool = False

    def met(self, values: Sequence[float]) -> bool:
        """Return whether the values keep it."""
        tested = values if self.every else [float(np.mean(values))]
        return all(v >= self.limit if self.sign == ">=" else v <= self.limit for v in tested)

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:,.10g}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a corpus: `values` has one entry per seed, in `unit`."""

    corpus: str
    name: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.values))

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds; None for one seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.target is None else self.target.met(self.values)

    def to_json(self) -> dict[str, Any]:
        """Return values, mean, deviation, target and whether it is met."""
        return {
            "corpus": self.corpus,
            "figure": self.name,
            "unit": self.unit,
            "values": [round(v, 3) for v in self.values],
            "mean": round(self.mean, 3),
            "sd": None if self.sd is None else round(self.sd, 3),
            "target": None if self.target is None else str(self.target),
            "met": self.met,
        }


BySeed = Mapping[int, Sequence[TrainingResults]]


def corpus_figures(
    corpus: str, results: BySeed, shared: BySeed | None, limits: Limits, *, unseen: bool = True
) -> list[Figure]:
    """Return the figures of one corpus, its folds pooled within each seed: every speaker is tested once.

    `shared` are the same trainings with random folds, whose UAR is added. Targets are for unseen speakers: where those
    of `results` are not `unseen`, no figure has one.
    """
    measures = set.intersection(*(set(t.results) for parts in results.values() for t in parts))
    figures = [_uar(corpus, results, "UAR, unseen speakers" if unseen else "UAR, speakers shared")]
    if shared:
        values = over_seeds(shared, lambda p: 100 * predictions(p, "clean").uar)
        figures.append(Figure(corpus=corpus, name="UAR, speakers shared (random split)", unit=PERCENT, values=values))
    figures += _calibration(corpus, results)
    makers: dict[str, Callable[[], list[Figure]]] = {
        "int8": lambda: _int8(corpus, results, limits),
        "listening": lambda: _listening(corpus, results),
        **{name: lambda name=name: [_loss(corpus, results, name)] for name in LOSSES},  # type: ignore[misc]
        "silence": lambda: [_undecided(corpus, results, "silence")],
        "sounds": lambda: [_undecided(corpus, results, "sounds")],
        "speech": lambda: _anger(corpus, results),
        "personal": lambda: _personal(corpus, results),
        "normalised": lambda: [_normalisation(corpus, results)],
    }
    figures += [figure for name, make in makers.items() if name in measures for figure in make()]
    return figures if unseen else [replace(figure, target=None) for figure in figures]


def over_seeds(results: BySeed, value: Callable[[Sequence[TrainingResults]], float]) -> tuple[float, ...]:
    """Return a value for each seed's folds."""
    return tuple(value(results[seed]) for seed in sorted(results))


def predictions(parts: Sequence[TrainingResults], measure: str) -> Predictions:
    """Return a measure's predictions of all folds of a seed as one."""
    return pooled([part.predictions(measure) for part in parts])


def percent(part: int, whole: int) -> float:
    """Return the part of the whole in per cent."""
    return 100.0 * part / whole


def _uar(corpus: str, results: BySeed, name: str) -> Figure:
    least = CORPORA[corpus].uar_target_percent if corpus in CORPORA else None
    target = None if least is None else Target(sign=">=", limit=least)
    values = over_seeds(results, lambda parts: 100 * predictions(parts, "clean").uar)
    return Figure(corpus=corpus, name=name, unit=PERCENT, values=values, target=target)


def _calibration(corpus: str, results: BySeed) -> list[Figure]:
    covers = {seed: own_thresholds(predictions(parts, "clean")) for seed, parts in results.items()}
    errors = over_seeds(results, lambda parts: 100 * predictions(parts, "clean").calibration_error)
    target = Target(sign="<=", limit=5.0)
    seeds = sorted(covers)
    return [
        Figure(corpus=corpus, name="expected calibration error", unit=PERCENT, values=errors, target=target),
        Figure(
            corpus=corpus,
            name="utterances decided",
            unit=PERCENT,
            values=tuple(100 * covers[seed].coverage for seed in seeds),
        ),
        Figure(
            corpus=corpus,
            name="of those decided, right",
            unit=PERCENT,
            values=tuple(100 * (covers[seed].accuracy or 0.0) for seed in seeds),
        ),
    ]


def _int8(corpus: str, results: BySeed, limits: Limits) -> list[Figure]:
    def same(parts: Sequence[TrainingResults]) -> float:
        return 100 * float((predictions(parts, "int8").predicted == predictions(parts, "clean").predicted).mean())

    def largest(name: str) -> tuple[float, ...]:
        return over_seeds(results, lambda parts: float(max(part.results["int8"][name] for part in parts)))

    size = Target(sign="<=", limit=float(limits.max_bytes), every=True)
    work = Target(sign="<=", limit=float(limits.max_multiply_adds), every=True)
    return [
        Figure(
            corpus=corpus,
            name="UAR lost by int8",
            unit=POINTS,
            values=_uar_loss(results, "int8"),
            target=Target(sign="<=", limit=0.5),
        ),
        Figure(
            corpus=corpus,
            name="int8 gives float's label",
            unit=PERCENT,
            values=over_seeds(results, same),
            target=Target(sign=">=", limit=98.0),
        ),
        Figure(
            corpus=corpus, name="int8 streaming model", unit="bytes", values=largest("streaming_bytes"), target=size
        ),
        Figure(
            corpus=corpus,
            name="multiply-adds for 3 s",
            unit="",
            values=largest("multiply_adds_3_s"),
            target=work,
        ),
    ]


def _listening(corpus: str, results: BySeed) -> list[Figure]:
    def part_of(parts: Sequence[TrainingResults], name: str) -> float:
        rows = [part.results["listening"] for part in parts]
        return percent(sum(f[name] for f in rows), sum(f["utterances"] for f in rows))

    return [
        Figure(
            corpus=corpus,
            name="streaming ends with the whole utterance's decision",
            unit=PERCENT,
            values=over_seeds(results, lambda parts: part_of(parts, "same")),
            target=Target(sign=">=", limit=99.0),
        ),
        Figure(
            corpus=corpus,
            name="utterances that the gate cuts in two",
            unit=PERCENT,
            values=over_seeds(results, lambda parts: part_of(parts, "cut")),
        ),
    ]


def _uar_loss(results: BySeed, measure: str) -> tuple[float, ...]:
    """Return how many points of UAR are lost against the float network on recordings as they are."""
    return over_seeds(results, lambda parts: 100 * (predictions(parts, "clean").uar - predictions(parts, measure).uar))


def _loss(corpus: str, results: BySeed, name: str) -> Figure:
    limit = LOSSES[name]
    target = None if limit is None else Target(sign="<=", limit=limit)
    return Figure(corpus=corpus, name=LOSS_NAMES[name], unit=POINTS, values=_uar_loss(results, name), target=target)


def _undecided(corpus: str, results: BySeed, name: str) -> Figure:
    def share(parts: Sequence[TrainingResults]) -> float:
        rows = [part.results[name] for part in parts]
        return percent(sum(f["undecided"] for f in rows), sum(f["seconds"] for f in rows))

    title = "everyday sounds" if name == "sounds" else name
    return Figure(
        corpus=corpus,
        name=f'seconds of {title} with "no decision"',
        unit=PERCENT,
        values=over_seeds(results, share),
        target=Target(sign=">=", limit=95.0),
    )


def _anger(corpus: str, results: BySeed) -> list[Figure]:
    def share(parts: Sequence[TrainingResults], counts: str, total: str) -> float:
        rows = [part.results["speech"] for part in parts]
        return percent(sum(f[counts].get("angry", 0) for f in rows), sum(f[total] for f in rows))

    target = Target(sign="<=", limit=MAX_ANGRY_PERCENT)
    return [
        Figure(
            corpus=corpus,
            name="neutral read speech called angry, at its end",
            unit=PERCENT,
            values=over_seeds(results, lambda parts: share(parts, "ends", "recordings")),
            target=target,
        ),
        Figure(
            corpus=corpus,
            name="seconds of neutral read speech called angry",
            unit=PERCENT,
            values=over_seeds(results, lambda parts: share(parts, "labels", "seconds")),
            target=target,
        ),
    ]


def owners(parts: Sequence[TrainingResults]) -> list[dict[str, Any]]:
    """Return the personal rows of all speakers of a seed's folds."""
    return [row for part in parts for row in part.results["personal"]["speakers"]]


def gains(parts: Sequence[TrainingResults], name: str = "uar_personal") -> list[float]:
    """Return what each speaker of a seed's folds gains by learning, in points of UAR."""
    return [100 * (row[name] - row["uar"]) for row in owners(parts)]


def _personal(corpus: str, results: BySeed) -> list[Figure]:
    if not all(owners(parts) for parts in results.values()):
        return []
    return [
        Figure(
            corpus=corpus,
            name="gain of the personal head, mean of speakers",
            unit=POINTS,
            values=over_seeds(results, lambda parts: float(np.mean(gains(parts)))),
            target=Target(sign=">=", limit=8.0),
        ),
        Figure(
            corpus=corpus,
            name="gain of the personal head, worst speaker",
            unit=POINTS,
            values=over_seeds(results, lambda parts: min(gains(parts))),
            target=Target(sign=">=", limit=-1.0, every=True),
        ),
        Figure(
            corpus=corpus,
            name="gain if every head were kept",
            unit=POINTS,
            values=over_seeds(results, lambda parts: float(np.mean(gains(parts, "uar_always")))),
        ),
        Figure(
            corpus=corpus,
            name="heads that the device kept",
            unit=PERCENT,
            values=over_seeds(results, lambda parts: 100 * float(np.mean([row["kept"] for row in owners(parts)]))),
        ),
    ]


def _normalisation(corpus: str, results: BySeed) -> Figure:
    values = tuple(-value for value in _uar_loss(results, "normalised"))
    return Figure(corpus=corpus, name="gain of features normalised to the speaker", unit=POINTS, values=values)
