"""Evaluation of one run: its scores on its fold's test part, and the benchmark's measures of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.errors import TrainingError
from overtone_cloud.recognition.figures import Figure, corpus_figures
from overtone_cloud.recognition.limits import Limits
from overtone_cloud.recognition.measures import CLEAN, NAMES, WITHOUT_BUNDLE, measures, read_measure_inputs
from overtone_cloud.recognition.results import TrainingResults, take
from overtone_cloud.recognition.subject import Subject
from overtone_cloud.training.experiment import Plan, divide, evaluate_model, load_plan, read_features
from overtone_cloud.training.metrics import Scores
from overtone_cloud.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of an evaluation: the corpus' folder where it has moved, other sounds and speech, some measures."""

    corpus: Path | None = None
    sounds: Path | None = None
    speech: Path | None = None
    parts: tuple[str, ...] | None = None
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True)
class RunEvaluation:
    """One run: its plan, its scores as recorded, and the results of its measures."""

    plan: Plan
    scores: Scores
    seed_results: TrainingResults


def evaluate_run(
    folder: RunFolder, options: EvaluationOptions, *, begin: Callable[[str], None] = lambda title: None
) -> RunEvaluation:
    """Return the evaluation of a run; `begin` is called with the title of each measure that is taken now."""
    plan, settings = load_plan(folder, options.corpus)
    names = _measure_names(plan, options.parts)
    model = folder.load_model()
    measure_inputs = read_measure_inputs(
        _existing_folder(plan.sounds, options.sounds),
        _existing_folder(plan.speech, options.speech),
        options.parts,
        Limits(),
    )
    _, features = read_features(plan, front_end=model.front_end, gate=model.gate, cache=options.cache)
    train, inner, test = divide(features, plan.run_fold, settings)
    scores = evaluate_model(model, test, plan, folder)
    subject = Subject(model, train, inner, test, folder.path, options.cache)
    results = {
        name: take(measure, subject, lambda title=measure.title: begin(title))  # type: ignore[misc]
        for name, measure in measures(measure_inputs).items()
        if name in names
    }
    results_of_seed = TrainingResults(fold=plan.run_fold.name, seed=settings.seed, results=results)
    return RunEvaluation(plan=plan, scores=scores, seed_results=results_of_seed)


def figures_of(runs: Sequence[RunEvaluation]) -> list[Figure]:
    """Return the figures over the seeds of one plan."""
    split = runs[0].plan.split
    by_seed = {run.seed_results.seed: [run.seed_results] for run in runs}
    return corpus_figures(split.corpus, by_seed, None, Limits(), unseen=not split.speakers_shared)


def _measure_names(plan: Plan, parts: Sequence[str] | None) -> set[str]:
    """Return the measures to take; raise where a requested one needs a bundle and speakers are shared."""
    if not plan.split.speakers_shared:
        return {CLEAN, *(parts or NAMES)}
    if unavailable := [part for part in parts or () if part not in WITHOUT_BUNDLE]:
        available = ", ".join(WITHOUT_BUNDLE)
        raise TrainingError(
            f"--part {unavailable[0]} needs unseen speakers, this split shares them; possible: {available}"
        )
    return {CLEAN, *(parts or WITHOUT_BUNDLE)}


def _existing_folder(training_folder: Path | None, folder: Path | None) -> Path | None:
    """Return `folder`, else that of the training where it still exists."""
    return folder if folder is not None or training_folder is None or not training_folder.is_dir() else training_folder
