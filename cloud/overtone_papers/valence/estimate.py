"""How long a run of system B takes, said before it starts."""

from overtone_papers.common.study import Study
from overtone_papers.valence import material
from overtone_papers.valence.folds import leave_one_group_out
from overtone_papers.valence.options import Options, parse
from overtone_papers.valence.search import TERA
from overtone_papers.valence.settings import Settings, published

MULTIPLY_ADDS_PER_S = 45e9
"""Between 35 and 70 of them were measured on two cores without an accelerator, by the processor time they took."""
USUAL_EPOCHS = 15
"""About where trainings of at most 100 epochs end."""
OVERSAMPLED = 1.4
SETUP_S = 12.0


def estimate(study: Study) -> str:
    """Return in one line how many trainings there will be and about how long they take."""
    options = parse(study.options, quick=study.quick)
    utterances = material.usable(study)
    folds = leave_one_group_out(utterances, groups=options.groups)
    used = folds[:1] if study.quick else folds
    seconds, said = 0.0, []
    if "folds" in study.parts:
        each = [
            _seconds(options, name, study.quick, len(folds[0].train), len(folds[0].test)) for name in options.networks
        ]
        seconds += study.seeds * len(used) * sum(each)
        said.append(f"{study.seeds * len(used) * len(options.networks)} trainings")
    if "search" in study.parts or options.searched:
        trials = options.trials * len(options.networks)
        seconds += trials * (_trial_seconds(options, len(folds[0].train)) + SETUP_S)
        said.append(f"{trials} trials")
    duration = f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
    return (
        f"system B: {len(utterances)} utterances, {' and '.join(said)}, about {duration} on 2 cores; an "
        "accelerator is used where TensorFlow sees one. --quick, --option networks=... and --part folds make it shorter"
    )


def _seconds(options: Options, network: str, quick: bool, train: int, test: int) -> float:
    settings = options.applied(published(network), whole_pass=round(OVERSAMPLED * train), quick=quick)
    epochs = settings.epochs if quick or options.epochs is not None else min(settings.epochs, USUAL_EPOCHS)
    samples = epochs * (settings.epoch_samples or OVERSAMPLED * train)
    tested = (epochs + 1) * test
    return SETUP_S + _cost(settings, samples, tested) / MULTIPLY_ADDS_PER_S


def _cost(settings: Settings, trained: float, tested: float) -> float:
    return trained * settings.multiply_adds + tested * settings.shape.multiply_adds


def _trial_seconds(options: Options, train: int) -> float:
    if options.trial_cost:
        return options.trial_cost * TERA / MULTIPLY_ADDS_PER_S
    each = [_cost(published(name), USUAL_EPOCHS * OVERSAMPLED * train, 0.0) for name in options.networks]
    return sum(each) / len(each) / MULTIPLY_ADDS_PER_S
