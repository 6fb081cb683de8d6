"""Random search over the paper's ranges: drawn with a seed, chosen by how they validate, never by the test."""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_papers.valence.experiment import Experiment, Result
from overtone_papers.valence.settings import Settings, drawn, from_json

SEED = 0
TERA = 1e12
MOST_DRAWS = 10_000


def search(experiment: Experiment, network: str) -> list[Result]:
    """Return every trial of a network, as many as the options ask for; each is a step of the study."""
    options = experiment.options
    trials = draws(network, most=options.trial_cost * TERA)
    results = []
    for number in range(options.trials):
        settings = replace(next(trials), dense=options.dense, patience=options.patience)
        if options.trial_cost:
            passes = experiment.whole_pass(experiment.folds[0])
            settings = settings.within(options.trial_cost * TERA, passes, least_epochs=1)
        if options.epochs is not None:
            settings = replace(settings, epochs=options.epochs)
        results.append(experiment.tried(settings, number))
    return results


def draws(network: str, *, most: float = 0.0) -> Iterator[Settings]:
    """Yield different settings from the paper's ranges; with `most`, only those whose one batch costs no more.

    `most` counts multiply-adds. Raise ConfigError where it lets nothing new through.
    """
    generator = np.random.default_rng((SEED, zlib.crc32(network.encode())))
    seen: set[Settings] = set()
    refused = 0
    while refused < MOST_DRAWS:
        settings = drawn(network, generator)
        if settings in seen or (most and settings.batch * settings.multiply_adds > most):
            refused += 1
            continue
        refused = 0
        seen.add(settings)
        yield settings
    raise ConfigError(
        f"{network}: {len(seen)} settings lie within --option trial_cost={most / TERA:g}; give fewer trials, more, or 0"
    )


def best(results: list[Result]) -> Result:
    """Return the trial that validated best, the earlier one of two."""
    return max(results, key=lambda result: float(result["acc5"]))


def searched(experiment: Experiment, network: str) -> Settings:
    """Return the best trial's sizes and rates as this run trains them."""
    found = from_json(best(search(experiment, network))["settings"])
    return experiment.applied(replace(found, epochs=experiment.settings(network).epochs, epoch_samples=None))
