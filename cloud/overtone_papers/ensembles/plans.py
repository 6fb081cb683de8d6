"""Which trainings each part consists of, and what they cost."""

import os
from collections.abc import Sequence

from overtone_cloud.errors import ConfigError
from overtone_papers.common.fitting import accelerators
from overtone_papers.common.study import Study
from overtone_papers.ensembles.division import INNER_FOLDS, QUICK_INNER, QUICK_TEST
from overtone_papers.ensembles.material import LABELS, pooled
from overtone_papers.ensembles.recipes import INPUTS_1D, LOG_MEL, RECIPES, TWO_AXES, Job, job
from overtone_papers.ensembles.settings import Settings
from overtone_papers.ensembles.stacking import binary_jobs
from overtone_papers.ensembles.training import Plan

NETWORKS_OF = {
    "1d": ("e-cnn1d-lstm",),
    "2d": ("e-cnn2d-lstm",),
    "fused": ("e-fused",),
    "lstm-cnn": ("e-lstm-cnn-1d", "e-lstm-cnn-2d"),
    "transformer": ("e-cnn-transformer",),
}
USED = {"e-cnn1d-lstm": 40, "e-lstm-cnn-1d": 52}
"""How many means the 1-D networks use by default: what the paper found best for each."""

QUICK_BINARY_SAMPLES, QUICK_BINARY_EPOCHS = 14, 1
SEARCH_EPOCHS, QUICK_SEARCH_EPOCHS = 30, 4
SEARCH_TRAININGS = 14
"""Hyperband with factor 3 spends about that many times its longest training."""
TWO_CORES = 1.7
"""How much faster two cores train than one, measured on the 2-D convolutions."""


def jobs_of(part: str, settings: Settings, seeds: int) -> tuple[Job, ...]:
    """Return the trainings of a part, for every split and seed."""
    return tuple(
        made
        for split in settings.splits
        for seed in range(seeds)
        for made in _jobs(part, settings, split=split, seed=seed)
    )


def variants(network: str, split: str, seed: int, axis: str) -> tuple[Job, ...]:
    """Return a network's training, once for each selection of means where it reads them alone."""
    if network not in USED:
        return (job(network, split, seed, axis=axis),)
    return tuple(job(network, split, seed, used=None if used == USED[network] else used) for used in INPUTS_1D)


def binaries(settings: Settings, split: str, seed: int) -> tuple[Job, ...]:
    """Return the trainings of the stacking's binary networks."""
    return binary_jobs(settings.base, split, seed, options=job(settings.base, split, seed, axis=settings.axis).options)


def _jobs(part: str, settings: Settings, *, split: str, seed: int) -> tuple[Job, ...]:
    axis = settings.axis
    if part in NETWORKS_OF:
        return tuple(made for network in NETWORKS_OF[part] for made in variants(network, split, seed, axis))
    if part == "ensemble":
        return tuple(job(network, split, seed, axis=axis) for network in settings.members)
    if part == "stacking":
        return (job(settings.base, split, seed, axis=axis), *binaries(settings, split, seed))
    if part == "ablation":
        both = (True, False)
        return tuple(job(n, split, seed, axis=axis, scaled=scaled) for n in settings.ablation for scaled in both)
    return ()


def plan_of(made: Job, settings: Settings, *, quick: bool) -> Plan:
    """Return how long and on how much a job trains."""
    recipe = made.recipe
    epochs, samples = recipe.epochs, 1_000_000_000
    if quick:
        epochs, samples = recipe.quick_epochs, recipe.quick_samples
        if made.target is not None and recipe.quick_samples < 800:
            epochs, samples = QUICK_BINARY_EPOCHS, QUICK_BINARY_SAMPLES
    varies = settings.augment and LOG_MEL in recipe.inputs
    return Plan(epochs=settings.epochs or epochs, samples=samples, scaler=settings.scaler, augment=varies)


def check(settings: Settings, parts: Sequence[str]) -> None:
    """Raise ConfigError where options do not go together."""
    if settings.axis != "mel" and parts == ("1d",):
        raise ConfigError(f"option axis={settings.axis} has no meaning for part 1d; it is for {', '.join(TWO_AXES)}")


def seconds_of(study: Study, settings: Settings) -> tuple[int, float]:
    """Return the number of trainings and the seconds they take at most on this machine's processor."""
    count = len(pooled(study.readings, settings.calm))
    jobs = {made.name: made for part in study.parts for made in jobs_of(part, settings, study.seeds)}
    total = sum(_cost_s(made, plan_of(made, settings, quick=study.quick), count, study.quick) for made in jobs.values())
    if "search" in study.parts:
        epochs = QUICK_SEARCH_EPOCHS if study.quick else SEARCH_EPOCHS
        for network in settings.search:
            trained = min(0.7 * count, RECIPES[network].quick_samples if study.quick else count)
            searches = 1 if study.quick else len(settings.splits)
            total += searches * SEARCH_TRAININGS * epochs * trained * RECIPES[network].train_s
    return len(jobs), total / (1.0 if (os.cpu_count() or 1) == 1 else TWO_CORES * (os.cpu_count() or 2) / 2)


def _cost_s(made: Job, plan: Plan, count: int, quick: bool) -> float:
    test, inner = (QUICK_TEST, QUICK_INNER) if quick else (0.2 * count, 0.8 * count / INNER_FOLDS)
    train = min(plan.samples, 0.8 * count - inner)
    predicted = test + inner * (plan.epochs + 1) + (train if made.target else 0)
    return plan.epochs * train * made.recipe.train_s + predicted * made.recipe.predict_s


def estimate(study: Study, settings: Settings) -> str:
    """Return one line: trainings, hours on this processor, and whether TensorFlow sees an accelerator."""
    trainings, seconds = seconds_of(study, settings)
    if not trainings and "search" not in study.parts:
        return "system E: counts, durations and pictures only, about a minute"
    took = f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{max(1.0, seconds / 60):.0f} min"
    line = f"system E: {trainings} trainings with {len(LABELS)} classes, at most {took} on {os.cpu_count()} cores"
    if accelerators():
        return f"{line}; TensorFlow sees {', '.join(accelerators())}, which takes a small part of that"
    heavy = [n for n in ("e-cnn2d-lstm", "e-fused") if _trains(n, study, settings)]
    return f"{line}; no accelerator, and {' and '.join(heavy)} cost half a second a sample and epoch" if heavy else line


def _trains(network: str, study: Study, settings: Settings) -> bool:
    return any(made.network == network for part in study.parts for made in jobs_of(part, settings, 1))
