"""Paper C: an LSTM over 40 mean MFCC on TESS, and what its validation figure stands on."""

from collections.abc import Mapping

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError
from overtone_papers.common.exploration import exploration_part
from overtone_papers.common.options import described
from overtone_papers.common.report import Report, choices_of
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.tess.claims import CHOICES, Evidence, claims
from overtone_papers.tess.data import Settings, divide, read
from overtone_papers.tess.tables import Results, parts
from overtone_papers.tess.training import train_kind

SECONDS_PER_CLIP = 1.2e-3
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
    settings = study.settings(Settings)
    if "splits" not in study.parts:
        return "system C: pictures and counts only, about a minute"
    trained = [
        len(fold.train)
        for reading in study.readings.values()
        for kind in settings.splits
        for fold in divide(reading.labelled, kind, folds=settings.folds, seed=0)[: settings.tested_folds]
    ]
    minutes = study.seeds * sum(trained) * settings.epochs * SECONDS_PER_CLIP / 60 + 1
    trainings = study.seeds * len(trained)
    return f"system C: {trainings} trainings of {settings.epochs} epochs, about {minutes:.0f} min on 2 cores"


def run(study: Study) -> Report:
    """Look at the corpora, train on each split of each, and say what the paper's figure means."""
    settings = study.settings(Settings)
    exploration = [exploration_part(study)] if "exploration" in study.parts else []
    results: Results = {}
    if "splits" in study.parts:
        data = {name: read(study, name, reading) for name, reading in study.readings.items()}
        results = {
            name: {kind: train_kind(study, settings, name, own, kind) for kind in settings.splits}
            for name, own in data.items()
        }
    voices = exploration[0].figures.get("tess", {}).get("voices") if exploration else None
    evidence = Evidence(reading=study.readings.get("tess"), voices=voices, trainings=results.get("tess", {}))
    return Report(
        parts=(*exploration, *parts(study, settings, results)),
        choices=choices_of(CHOICES, **vars(settings)),
        claims=claims(evidence),
    )


SYSTEM = System(
    letter="C",
    title="LSTM on the mean MFCC of TESS",
    paper="Emotion Recognition using Deep Learning on the Toronto Emotional Speech Set (TESS), Y. Singh",
    parts=("exploration", "splits"),
    run=run,
    needs=needs,
    estimate=estimate,
    options=described(Settings),
    requires="TESS, or any speech with emotion labels and two speakers (RAVDESS beside it: a split by speaker)",
)
