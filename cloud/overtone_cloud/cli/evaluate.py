"""`overtone evaluate`: a run's scores on its fold's test part, and the benchmark's table for that fold."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from overtone_cloud.cli.benchmark import LEAST_SEEDS, PLAIN_WIDTH, figure_table, read_material
from overtone_cloud.cli.train import report_skipped, show_scores
from overtone_cloud.errors import TrainingError
from overtone_cloud.recognition.figure import Figure
from overtone_cloud.recognition.figures import corpus_figures
from overtone_cloud.recognition.measures import NAMES, WITHOUT_BUNDLE, Material, measures
from overtone_cloud.recognition.results import Taken, take
from overtone_cloud.recognition.subject import Subject
from overtone_cloud.training.experiment import CONFIG, Plan, divide, evaluate_model, load_plan, read_features
from overtone_cloud.training.metrics import Scores
from overtone_cloud.training.run_folder import RunFolder

ALWAYS = "clean"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `evaluate` to the command line."""
    parser = subparsers.add_parser("evaluate", help="score a run on its fold's test part, as the benchmark does")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, or the folder of `train --seeds`")
    parser.add_argument("--corpus", type=Path, help="where the corpus is, if it has moved")
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (default: those it trained with)")
    parser.add_argument("--speech", type=Path, metavar="DIR", help="neutral read speech (LibriSpeech)")
    parser.add_argument("--part", action="append", choices=NAMES, help="only this, repeatable (default: all)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where features are kept")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=_evaluate)


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One run: what it was trained by, its scores as recorded, and what its measures found."""

    plan: Plan
    scores: Scores
    taken: Taken


def _evaluate(args: argparse.Namespace) -> int:
    folders = run_folders(args.run)
    found = [_evaluated(folder, args) for folder in folders]
    plan = found[0].plan
    if any(other.plan.split != plan.split or other.plan.fold != plan.fold for other in found):
        raise TrainingError(f"{args.run} holds runs of several splits or folds: evaluate them one by one")
    report_skipped(folders[0])
    figures = corpus_figures(
        plan.split.corpus,
        {each.taken.seed: [each.taken] for each in found},
        None,
        Material().limits,
        unseen=not plan.split.speakers_shared,
    )
    if args.json:
        rows = {"figures": [figure.to_json() for figure in figures]}
        runs = [{"seed": each.taken.seed, **each.scores.to_json()} for each in found]
        several: Mapping[str, Any] = runs[0] if len(runs) == 1 else {"runs": runs}
        print(json.dumps({"split": plan.split.describe(), **several, **rows}, indent=1, ensure_ascii=False))
    else:
        for each in found:
            show_scores(each.scores, plan.split.describe(), plan.chosen.name)
        _show(plan, figures, len(found))
    return 0


def run_folders(path: Path) -> list[RunFolder]:
    """Return the run folder at `path`, or those of its seeds in their order."""
    if not (path / CONFIG).exists():
        seeds = [folder for folder in path.glob("seed*") if (folder / CONFIG).exists()]
        if seeds:
            return [RunFolder(folder) for folder in sorted(seeds, key=lambda folder: (len(folder.name), folder.name))]
    return [RunFolder(path)]


def _evaluated(folder: RunFolder, args: argparse.Namespace) -> Evaluated:
    plan, settings = load_plan(folder, args.corpus)
    wanted = _wanted(plan, args.part)
    model = folder.load_model()
    material = read_material(_folder(plan.sounds, args.sounds), _folder(plan.speech, args.speech), args.part)
    _, features = read_features(plan, front_end=model.front_end, gate=model.gate, cache=args.cache)
    train, inner, test = divide(features, plan.chosen, settings)
    scores = evaluate_model(model, test, plan, folder)
    subject = Subject(model, train, inner, test, folder.path, args.cache)
    results = {
        name: take(each, subject, _told(each.title)) for name, each in measures(material).items() if name in wanted
    }
    return Evaluated(plan=plan, scores=scores, taken=Taken(fold=plan.chosen.name, seed=settings.seed, results=results))


def _wanted(plan: Plan, parts: Sequence[str] | None) -> set[str]:
    """Return the measures to take; raise where one that is asked for needs a bundle and speakers are shared."""
    if not plan.split.speakers_shared:
        return {ALWAYS, *(parts or NAMES)}
    if refused := [part for part in parts or () if part not in WITHOUT_BUNDLE]:
        possible = ", ".join(WITHOUT_BUNDLE)
        raise TrainingError(f"--part {refused[0]} needs unseen speakers, this split shares them; possible: {possible}")
    return {ALWAYS, *(parts or WITHOUT_BUNDLE)}


def _folder(trained: Path | None, given: Path | None) -> Path | None:
    """Return the folder given, or the training's where it is still there."""
    return given if given is not None or trained is None or not trained.is_dir() else trained


def _told(title: str) -> Any:
    return lambda: print(f"overtone: measuring {title}", file=sys.stderr)


def _show(plan: Plan, figures: Sequence[Figure], seeds: int) -> None:
    few = "" if seeds >= LEAST_SEEDS else f"\n{seeds} of the {LEAST_SEEDS} seeds that a figure to quote needs"
    caption = f"{plan.split.describe()}; {plan.chosen.name}{few}"
    title = f"{plan.split.corpus}: {'speakers shared' if plan.split.speakers_shared else 'unseen speakers'}"
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(figure_table(title, caption, [figure.to_json() for figure in figures]))
