"""Paper E: six networks of convolutions, LSTMs and attention, and their ensembles."""

import os
from collections.abc import Mapping

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError
from overtone_papers.common.options import described
from overtone_papers.common.report import Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.ensembles.claims import choices, claims
from overtone_papers.ensembles.data import INNER_FOLDS, LABELS, QUICK_INNER, QUICK_TEST, Pool, pool_of
from overtone_papers.ensembles.networks import PARTS, RECIPES, Job, Settings, jobs_of

LEAST = 40
"""Fewest utterances per class: with fewer, a fifth of them and an eighth of the rest are no evidence."""
SEARCH_TRAININGS = 14
"""Cost of Hyperband with factor 3, in about as many of its longest trainings."""
TWO_CORES = 1.7
"""Speed-up of training on two cores over one, measured on the 2-D convolutions."""
HEAVY = ("e-cnn2d-lstm", "e-fused")


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError for a corpus with one speaker, and for a pool in which one of the seven classes is rare."""
    for name, reading in readings.items():
        if any(u.speaker is None for u in reading.labelled):
            raise CorpusError(
                f"corpus {name} has utterances without a speaker, system E tests unseen ones; "
                "a CSV manifest with path, label and speaker gives them"
            )
        if len(reading.speakers) < 2:
            raise CorpusError(
                f"corpus {name} has {len(reading.speakers)} speaker(s), system E needs 2 in each to test unseen ones"
            )
    labels = [u.label for u in pool_of(readings, "drop")]
    rare = [f"{label} ({labels.count(label)})" for label in LABELS if labels.count(label) < LEAST]
    if rare:
        raise CorpusError(
            f"system E needs {LEAST} utterances of each of its seven classes, too few are {', '.join(rare)}; "
            "add a corpus that has them (TESS, SAVEE and RAVDESS have all seven)"
        )


def estimate(study: Study) -> str:
    """Return one line: number of trainings, hours on this processor, and whether TensorFlow sees an accelerator."""
    from overtone_papers.common.fitting import accelerators

    settings = study.settings(Settings)
    settings.check(study.parts)
    jobs = {job.name: job for part in study.parts for job in jobs_of(part, settings, study.seeds)}
    if not jobs and "search" not in study.parts:
        return "system E: counts, durations and pictures only, about a minute"
    seconds = _seconds(study, settings, list(jobs.values()))
    duration = f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{max(1.0, seconds / 60):.0f} min"
    line = f"system E: {len(jobs)} trainings with {len(LABELS)} classes, at most {duration} on {os.cpu_count()} cores"
    devices = accelerators()
    if devices:
        return f"{line}; TensorFlow sees {', '.join(devices)}, which takes a small part of that"
    heavy = [n for n in HEAVY if any(job.network == n for job in jobs.values())]
    return (
        f"{line}; no accelerator, and {' and '.join(heavy)} cost half a second per sample and epoch" if heavy else line
    )


def _seconds(study: Study, settings: Settings, jobs: list[Job]) -> float:
    """Return the most seconds that the trainings take on this machine's processor."""
    count = len(pool_of(study.readings, settings.calm))
    total = sum(_cost_s(job, count, settings.quick) for job in jobs)
    if "search" in study.parts:
        for recipe in (RECIPES[network] for network in settings.search):
            samples = min(0.7 * count, recipe.quick_samples if settings.quick else count)
            searches = len(settings.searched_splits)
            total += searches * SEARCH_TRAININGS * settings.search_epochs * samples * recipe.train_s
    cores = os.cpu_count() or 1
    return total if cores == 1 else total / (TWO_CORES * cores / 2)


def _cost_s(job: Job, count: int, quick: bool) -> float:
    test, inner = (QUICK_TEST, QUICK_INNER) if quick else (0.2 * count, 0.8 * count / INNER_FOLDS)
    train = min(job.samples, 0.8 * count - inner)
    predicted = test + inner * (job.epochs + 1) + (train if job.target else 0)
    return job.epochs * train * job.recipe.train_s + predicted * job.recipe.predict_s


def run(study: Study) -> Report:
    """Run the parts of the study; each training is a step of its own, and ensembles read their predictions."""
    from overtone_papers.ensembles.experiment import Experiment
    from overtone_papers.ensembles.parts import part_of

    settings = study.settings(Settings)
    experiment = Experiment(study, settings, Pool.gather(study, settings.calm))
    parts = tuple(part_of(experiment, name) for name in study.parts)
    return Report(parts=parts, choices=choices(settings), claims=claims(parts, quick=study.quick))


SYSTEM = System(
    letter="E",
    title="CNN-LSTM, LSTM-CNN, CNN-Transformer and their ensembles",
    paper="LoopQPrize: My solution for the Speech Emotion Recognition task, A. Serra, 2022",
    parts=PARTS,
    run=run,
    needs=needs,
    estimate=estimate,
    options=described(Settings),
    requires="TESS, SAVEE, RAVDESS, CREMA-D, whichever are there; all seven emotions, two speakers in each corpus",
)
