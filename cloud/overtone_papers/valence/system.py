"""System B: `SYSTEM`, its parts, what it needs, and how long it takes."""

from collections.abc import Mapping, Sequence

import numpy as np

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError, SplitError
from overtone_papers.common.pictures import confusion_png, curves_png
from overtone_papers.common.report import Part, Picture, Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.valence import tables
from overtone_papers.valence.claims import CHOICES, claims
from overtone_papers.valence.dimensions import dimensions, is_rated
from overtone_papers.valence.estimate import estimate
from overtone_papers.valence.experiment import Experiment, Result
from overtone_papers.valence.figures import summed
from overtone_papers.valence.folds import leave_one_group_out
from overtone_papers.valence.options import OPTIONS
from overtone_papers.valence.search import search, searched
from overtone_papers.valence.soft_labels import NAMES

MOST_PICTURES = 6
LEAST_CLASSES = 2


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError for corpora without ratings or categories, or with too few speakers to leave some out."""
    for name, reading in readings.items():
        rated = [d for u in reading.utterances if (d := dimensions(u)) is not None]
        if len({valence for valence, _ in rated}) < LEAST_CLASSES:
            raise CorpusError(
                f"{name}: {len(rated)} of {len(reading.utterances)} utterances have a valence or a category that "
                "the table of emotions rates, with fewer than 2 values; --option unlabelled=PATH takes speech "
                "without labels"
            )
    try:
        leave_one_group_out([u for r in readings.values() for u in r.utterances if dimensions(u) is not None])
    except SplitError as error:
        raise CorpusError(str(error)) from error


def run(study: Study) -> Report:
    """Train the networks on every fold and seed, search their sizes, and read the paper's claims."""
    experiment = Experiment(study)
    parts = []
    results: dict[str, list[Result]] = {}
    if "folds" in study.parts:
        results = _trained(experiment)
        parts.append(_folds_part(experiment, results))
    if "search" in study.parts:
        parts.append(_search_part(experiment))
    rated = all(is_rated(u) for u in experiment.material.utterances)
    read = claims(results, quick=study.quick, unlabelled_hours=experiment.found.hours, rated=rated)
    return Report(parts=tuple(parts), choices=CHOICES, claims=read)


def _trained(experiment: Experiment) -> dict[str, list[Result]]:
    choose = (lambda n: searched(experiment, n)) if experiment.options.searched else experiment.settings
    settings = {network: choose(network) for network in experiment.options.networks}
    results: dict[str, list[Result]] = {network: [] for network in settings}
    for seed in range(experiment.study.seeds):
        for fold in experiment.used_folds:
            for network, chosen in settings.items():
                results[network].append(experiment.trained(chosen, fold, seed))
    return results


def _folds_part(experiment: Experiment, results: Mapping[str, Sequence[Result]]) -> Part:
    beside = [tables.confusion_beside_paper(results["b-basic-dcgan"])] if "b-basic-dcgan" in results else []
    return Part(
        name="folds",
        title="Valence of speakers that were never heard",
        split=experiment.split,
        tables=(
            tables.beside_paper(results, experiment.split),
            tables.per_class(results),
            *beside,
            tables.by_corpus(results),
            tables.trainings(results),
            tables.sizes(results),
            tables.ratings(experiment.material),
        ),
        pictures=tuple(p for network, found in results.items() for p in _pictures(experiment.study, network, found)),
        seconds=float(sum(r["seconds"] for found in results.values() for r in found)),
        figures={
            "results": {network: list(found) for network, found in results.items()},
            "unlabelled_hours": experiment.found.hours,
            "unlabelled_files": len(experiment.found.paths),
            "unlabelled_unreadable": experiment.found.unreadable,
            "unlabelled_beyond_limit": experiment.found.beyond,
        },
    )


def _pictures(study: Study, network: str, found: Sequence[Result]) -> list[Picture]:
    folder, name = study.folder("folds"), network[2:]
    confusion = summed([r["figures"] for r in found])
    confusion_png(folder / f"{name}-confusion.png", confusion, NAMES, f"{name}, test speakers of all folds")
    histories = [{**r["history"], "name": r["fold"]} for r in found if r["seed"] == 0]
    curves_png(folder / f"{name}-curves.png", *histories, title=f"{name}, seed 0")
    generated = sorted((study.out / "generated" / network).glob("epoch-*.png"))
    chosen = sorted({round(place) for place in np.linspace(0, len(generated) - 1, MOST_PICTURES)} if generated else ())
    return [
        Picture(path=f"folds/{name}-confusion.png", caption=f"{name}: confusion of valence"),
        Picture(path=f"folds/{name}-curves.png", caption=f"{name}: loss, and unweighted validation accuracy"),
        *(
            Picture(
                path=f"generated/{network}/{generated[i].name}",
                caption=f"{name}: spectrograms generated from the same noise after epoch {int(generated[i].stem[6:])} "
                f"(of {len(generated)}; fold 1, seed 0)",
            )
            for i in chosen
        ),
    ]


def _search_part(experiment: Experiment) -> Part:
    found = {network: search(experiment, network) for network in experiment.options.networks}
    return Part(
        name="search",
        title="Random search over the paper's ranges",
        split=f"{experiment.folds[0].name} alone: chosen by its validation speakers "
        f"({', '.join(experiment.folds[0].validation_speakers)}), its test speakers are not heard",
        tables=tables.trials(found),
        seconds=float(sum(r["seconds"] for of in found.values() for r in of)),
        figures={"trials": found},
    )


SYSTEM = System(
    letter="B",
    title="Valence from a multitask DCGAN",
    paper="Learning representations of emotional speech with deep convolutional generative adversarial networks",
    parts=("folds", "search"),
    run=run,
    needs=needs,
    estimate=estimate,
    options=OPTIONS,
    requires="4 speakers or more, valence ratings or emotion labels; sessions, word times and unlabelled speech help",
)
