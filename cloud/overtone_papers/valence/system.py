"""Paper B: valence from a multitask DCGAN on spectrogram crops."""

from collections.abc import Mapping
from itertools import product

from overtone_cloud.corpora.splits import Fold
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError, SplitError
from overtone_papers.common.options import described
from overtone_papers.common.report import Report, choices_of
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.valence.claims import CHOICES, Evidence, claims
from overtone_papers.valence.data import leave_one_group_out, usable
from overtone_papers.valence.experiment import Experiment, Result
from overtone_papers.valence.ratings import dimensions, is_rated
from overtone_papers.valence.settings import TERA, Settings, published
from overtone_papers.valence.tables import folds_part, search_part

LEAST_CLASSES = 2
MULTIPLY_ADDS_PER_S = 45e9
"""Between 35 and 70 of them were measured on two cores without an accelerator, by the processor time they took."""
USUAL_EPOCHS = 15
"""About where trainings of at most 100 epochs end."""
OVERSAMPLED = 1.4
SETUP_S = 12.0


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError for corpora without ratings or categories, or with too few speakers for held-out ones."""
    for name, reading in readings.items():
        rated = [d for u in reading.utterances if (d := dimensions(u)) is not None]
        if len({valence for valence, _ in rated}) < LEAST_CLASSES:
            raise CorpusError(
                f"{name}: {len(rated)} of {len(reading.utterances)} utterances have a valence or a category that "
                "the table of emotions rates, with fewer than 2 values; --option unlabelled=PATH takes speech without "
                "labels"
            )
    try:
        leave_one_group_out(usable(readings))
    except SplitError as error:
        raise CorpusError(str(error)) from error


def estimate(study: Study) -> str:
    """Return one line with the number of trainings and about how long they take."""
    settings, utterances = study.settings(Settings), usable(study.readings)
    networks = settings.networks
    folds = leave_one_group_out(utterances, groups=settings.groups)
    seconds, words = 0.0, []
    if "folds" in study.parts:
        rounds = study.seeds * len(folds[:1] if study.quick else folds)
        seconds += rounds * sum(_training_s(settings, network, folds[0], study.quick) for network in networks)
        words.append(f"{rounds * len(networks)} trainings")
    if "search" in study.parts or settings.parameters == "searched":
        seconds += settings.trials * sum(_trial_s(settings, network, folds[0]) for network in networks)
        words.append(f"{settings.trials * len(networks)} trials")
    duration = f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
    return (
        f"system B: {len(utterances)} utterances, {' and '.join(words)}, about {duration} on 2 cores; an "
        "accelerator is used where TensorFlow sees one. --quick, --option networks=... and --part folds make it shorter"
    )


def _training_s(settings: Settings, network: str, fold: Fold, quick: bool) -> float:
    """Return the seconds of one training with validation after each epoch, and of its test."""
    whole_pass = OVERSAMPLED * len(fold.train)
    recipe = settings.applied(published(network), whole_pass=round(whole_pass), quick=quick)
    fixed = quick or settings.epochs is not None
    epochs = recipe.epochs if fixed else min(recipe.epochs, USUAL_EPOCHS)
    training = epochs * (recipe.epoch_samples or whole_pass) * recipe.multiply_adds
    tests = (epochs + 1) * len(fold.test) * recipe.shape.multiply_adds
    return SETUP_S + (training + tests) / MULTIPLY_ADDS_PER_S


def _trial_s(settings: Settings, network: str, fold: Fold) -> float:
    """Return the seconds of one trial of the search."""
    whole = USUAL_EPOCHS * OVERSAMPLED * len(fold.train) * published(network).multiply_adds
    return SETUP_S + (settings.trial_cost * TERA or whole) / MULTIPLY_ADDS_PER_S


def run(study: Study) -> Report:
    """Train the networks on every fold and seed, search their sizes, and read the paper's claims."""
    experiment = Experiment(study)
    networks = experiment.options.networks
    results: dict[str, list[Result]] = {}
    parts = []
    if "folds" in study.parts:
        recipes = [experiment.recipe(network) for network in networks]
        for seed, fold, recipe in product(range(study.seeds), experiment.used_folds, recipes):
            results.setdefault(recipe.network, []).append(experiment.trained(recipe, fold, seed))
        parts.append(folds_part(experiment, results))
    if "search" in study.parts:
        parts.append(search_part(experiment, {network: experiment.search(network) for network in networks}))
    rated = all(is_rated(u) for u in experiment.data.utterances)
    evidence = Evidence(results=results, unlabelled_hours=experiment.files.hours, rated=rated)
    return Report(parts=tuple(parts), choices=choices_of(CHOICES), claims=claims(evidence, quick=study.quick))


SYSTEM = System(
    letter="B",
    title="Valence from a multitask DCGAN",
    paper="Learning representations of emotional speech with deep convolutional generative adversarial networks",
    parts=("folds", "search"),
    run=run,
    needs=needs,
    estimate=estimate,
    options=described(Settings),
    requires="4 speakers or more, valence ratings or emotion labels; sessions, word times and unlabelled speech help",
)
