"""Paper B: valence from a multitask DCGAN on spectrogram crops."""

from collections.abc import Mapping
from dataclasses import dataclass

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError, SplitError
from overtone_papers.common.options import described
from overtone_papers.common.report import Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.valence.claims import Evidence, choices, claims
from overtone_papers.valence.data import leave_one_group_out, usable
from overtone_papers.valence.experiment import Experiment, Result
from overtone_papers.valence.ratings import dimensions, is_rated
from overtone_papers.valence.settings import TERA, Recipe, Settings, published
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
        leave_one_group_out([u for r in readings.values() for u in r.utterances if dimensions(u) is not None])
    except SplitError as error:
        raise CorpusError(str(error)) from error


def estimate(study: Study) -> str:
    """Return one line with the number of trainings and about how long they take."""
    settings = study.settings(Settings)
    utterances = usable(study)
    folds = leave_one_group_out(utterances, groups=settings.groups)
    costs = [_Cost(settings, network, study.quick, len(folds[0].train)) for network in settings.networks]
    seconds, words = 0.0, []
    if "folds" in study.parts:
        rounds = study.seeds * len(folds[:1] if study.quick else folds)
        seconds += rounds * sum(cost.training_s(len(folds[0].test)) for cost in costs)
        words.append(f"{rounds * len(costs)} trainings")
    if "search" in study.parts or settings.parameters == "searched":
        seconds += settings.trials * sum(cost.trial_s for cost in costs)
        words.append(f"{settings.trials * len(costs)} trials")
    duration = f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
    return (
        f"system B: {len(utterances)} utterances, {' and '.join(words)}, about {duration} on 2 cores; an "
        "accelerator is used where TensorFlow sees one. --quick, --option networks=... and --part folds make it shorter"
    )


@dataclass(frozen=True)
class _Cost:
    """Training time of a network in seconds, for the size of its training part."""

    settings: Settings
    network: str
    quick: bool
    utterances: int

    def training_s(self, tested: int) -> float:
        """Seconds of one training with validation after each epoch, and of its test."""
        crops = OVERSAMPLED * self.utterances
        recipe = self.settings.applied(published(self.network), whole_pass=round(crops), quick=self.quick)
        fixed = self.quick or self.settings.epochs is not None
        epochs = recipe.epochs if fixed else min(recipe.epochs, USUAL_EPOCHS)
        tests = (epochs + 1) * tested * recipe.shape.multiply_adds
        return SETUP_S + _seconds(recipe, epochs * (recipe.epoch_samples or crops)) + tests / MULTIPLY_ADDS_PER_S

    @property
    def trial_s(self) -> float:
        """Seconds of one trial of the search."""
        if self.settings.trial_cost:
            return SETUP_S + self.settings.trial_cost * TERA / MULTIPLY_ADDS_PER_S
        return SETUP_S + _seconds(published(self.network), USUAL_EPOCHS * OVERSAMPLED * self.utterances)


def _seconds(recipe: Recipe, crops: float) -> float:
    return crops * recipe.multiply_adds / MULTIPLY_ADDS_PER_S


def run(study: Study) -> Report:
    """Train the networks on every fold and seed, search their sizes, and read the paper's claims."""
    experiment = Experiment(study)
    networks = experiment.options.networks
    results: dict[str, list[Result]] = {}
    parts = []
    if "folds" in study.parts:
        recipes = {network: experiment.recipe(network) for network in networks}
        results = {network: [] for network in networks}
        for seed in range(study.seeds):
            for fold in experiment.used_folds:
                for network, recipe in recipes.items():
                    results[network].append(experiment.trained(recipe, fold, seed))
        parts.append(folds_part(experiment, results))
    if "search" in study.parts:
        parts.append(search_part(experiment, {network: experiment.search(network) for network in networks}))
    evidence = Evidence(
        results=results,
        unlabelled_hours=experiment.files.hours,
        rated=all(is_rated(u) for u in experiment.data.utterances),
    )
    return Report(parts=tuple(parts), choices=choices(), claims=claims(evidence, quick=study.quick))


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
