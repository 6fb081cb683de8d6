"""Paper C: an LSTM over 40 mean MFCC on TESS, and what its validation figure stands on."""

from collections.abc import Mapping, Sequence
from typing import Any

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.features.means import MeanMfccSpec
from overtone_papers.common.exploration import exploration_part
from overtone_papers.common.report import Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.tess import claims as tess_claims
from overtone_papers.tess import folds as tess_splits
from overtone_papers.tess import tables as tess_report
from overtone_papers.tess.data import NETWORK, OPTIONS, Data, Settings, read, settings_of
from overtone_papers.tess.folds import Division, divide

QUICK_DIVISIONS = 2
SECONDS_A_CLIP = 1.2e-3
"""Measured: an epoch of 1,120 clips with its validation takes 1.2 to 1.4 s on 2 cores."""


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError for a corpus whose utterances have fewer than two emotions as labels."""
    for name, reading in readings.items():
        labels = {u.label for u in reading.labelled}
        if len(labels) < 2:
            raise CorpusError(
                f"corpus {name} has {len(labels)} emotion(s) as labels, system C needs 2; "
                "a CSV manifest with path and label gives any folder its labels"
            )


def estimate(study: Study) -> str:
    """Return how many trainings there will be and about how long they take."""
    settings = settings_of(study)
    if "splits" not in study.parts:
        return "system C: pictures and counts only, about a minute"
    trainings, clips = 0, 0
    for reading in study.readings.values():
        for kind in settings.splits:
            made = _divisions(reading.labelled, kind, study, settings, seed=0)
            trainings += study.seeds * len(made)
            clips += study.seeds * sum(len(d.train) for d in made)
    minutes = clips * settings.epochs * SECONDS_A_CLIP / 60 + 1
    return f"system C: {trainings} trainings of {settings.epochs} epochs, about {minutes:.0f} min on 2 cores"


def run(study: Study) -> Report:
    """Look at the corpora, train on each split of each, and say what the paper's figure means."""
    settings = settings_of(study)
    parts = [exploration_part(study)] if "exploration" in study.parts else []
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    if "splits" in study.parts:
        for name, reading in study.readings.items():
            data = read(study, name, reading)
            results[name] = {kind: train_kind(study, settings, data, kind) for kind in settings.splits}
    voices = parts[0].figures if parts else {}
    return Report(
        parts=(*parts, *tess_report.parts(study, settings.epochs, results)),
        choices=tess_claims.choices(settings.scale, settings.epochs),
        claims=tess_claims.claims(study.readings, voices, results),
    )


def train_kind(study: Study, settings: Settings, data: Data, kind: str) -> list[dict[str, Any]]:
    """Return one result for each seed and division of a kind of split."""
    return [
        _trained(study, settings, data, kind, division, seed)
        for seed in range(study.seeds)
        for division in _divisions(data.utterances, kind, study, settings, seed=seed)
    ]


def _divisions(
    utterances: Sequence[Utterance], kind: str, study: Study, settings: Settings, *, seed: int
) -> tuple[Division, ...]:
    made = divide(utterances, kind, folds=settings.folds, seed=seed)
    return made[:QUICK_DIVISIONS] if study.quick else made


def _trained(study: Study, settings: Settings, data: Data, kind: str, division: Division, seed: int) -> dict[str, Any]:
    """Train once, or take the kept result; the random split's first network is saved for devices."""
    from overtone_papers.tess.training import train

    saves = kind == "random" and seed == 0
    folder = study.folder(f"networks/{NETWORK}-{data.name}") if saves else None
    result: dict[str, Any] = study.step(
        f"{data.name}-{kind}-{division.name}-seed{seed}",
        lambda: train(study, settings, data, division, seed=seed, folder=folder),
        makes=[folder / "window.json", folder / "calibration.npz", folder / "test.npz"] if folder else [],
        corpus=data.name,
        kind=kind,
        division=division.name,
        seed=seed,
        epochs=settings.epochs,
        batch=settings.batch,
        scale=settings.scale,
        folds=settings.folds,
        features=MeanMfccSpec().to_json(),
    )
    return {
        **result,
        "name": division.name,
        "seed": seed,
        "heard_before": tess_splits.heard_before(data.utterances, division),
        "held_back": tess_splits.describe(data.utterances, division),
    }


SYSTEM = System(
    letter="C",
    title="LSTM on the mean MFCC of TESS",
    paper="Emotion Recognition using Deep Learning on the Toronto Emotional Speech Set (TESS), Y. Singh",
    parts=("exploration", "splits"),
    run=run,
    needs=needs,
    estimate=estimate,
    options=OPTIONS,
    requires="TESS, or any speech with emotion labels and two speakers (RAVDESS beside it: a split by speaker)",
)
