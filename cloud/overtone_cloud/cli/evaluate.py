"""`overtone evaluate`: a run's scores on its fold's test part with the benchmark's table, or a bundle on a corpus."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overtone_cloud.cli.evaluate_bundle import BUNDLE_ONLY, bundle_options, names_bundle, refuse, run_bundle
from overtone_cloud.cli.options import add_cache_option
from overtone_cloud.cli.output import figure_table, show_scores, show_skipped, wide_console
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_cloud.recognition.benchmark import LEAST_SEEDS
from overtone_cloud.recognition.evaluation import EvaluationOptions, RunEvaluation, evaluate_run, figures_of
from overtone_cloud.recognition.figures import Figure
from overtone_cloud.recognition.measures import NAMES
from overtone_cloud.training.experiment import CONFIG
from overtone_cloud.training.run_folder import METRICS, RunFolder


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `evaluate` to the command line."""
    text = (
        "score a run on its fold's test part, as the benchmark does, or measure a bundle on a labelled corpus as a "
        "device hears it"
    )
    parser = subparsers.add_parser("evaluate", help=text, description=text)
    parser.add_argument(
        "run",
        type=Path,
        metavar="RUN|BUNDLE|NAME",
        help="a run folder, or the folder of `train --seeds`; a bundle, signed or not, or a pretrained model's name",
    )
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="of a bundle: the labelled corpus (without NAME: by its files' names); of a run: where its corpus is now",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="of a bundle: at most N recordings of each class")
    parser.add_argument("--root", type=Path, metavar="FILE", help="of a bundle: root.json, to check the signature")
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (default: those it trained with)")
    parser.add_argument("--speech", type=Path, metavar="DIR", help="neutral read speech (LibriSpeech)")
    parser.add_argument("--part", action="append", choices=NAMES, help="only this, repeatable (default: all)")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    if names_bundle(args.run):
        return run_bundle(bundle_options(args))
    refuse(args, BUNDLE_ONLY, f"{args.run} is no bundle")
    if len(args.corpus) > 1:
        raise ConfigError(f"--corpus is given {len(args.corpus)} times, a run has one corpus")
    return _run_of_folders(args)


def _run_of_folders(args: argparse.Namespace) -> int:
    options = EvaluationOptions(
        corpus=Path(args.corpus[0]) if args.corpus else None,
        sounds=args.sounds,
        speech=args.speech,
        parts=None if args.part is None else tuple(args.part),
        cache=args.cache,
    )
    folders = run_folders(args.run)
    runs = [evaluate_run(folder, options, begin=_say_measure) for folder in folders]
    plan = runs[0].plan
    if any(other.plan.split != plan.split or other.plan.fold != plan.fold for other in runs):
        raise TrainingError(f"{args.run} holds runs of several splits or folds: evaluate them one by one")
    show_skipped(folders[0].read_json(METRICS)["skipped"])
    figures = figures_of(runs)
    if args.json:
        print(json.dumps(_as_json(runs, figures), indent=1, ensure_ascii=False))
    else:
        _show(runs, figures)
    return 0


def run_folders(path: Path) -> list[RunFolder]:
    """Return the run folder at `path`, or those of its seeds in their order."""
    if not (path / CONFIG).exists():
        seeds = [folder for folder in path.glob("seed*") if (folder / CONFIG).exists()]
        if seeds:
            return [RunFolder(folder) for folder in sorted(seeds, key=lambda folder: (len(folder.name), folder.name))]
    return [RunFolder(path)]


def _say_measure(title: str) -> None:
    print(f"overtone: measuring {title}", file=sys.stderr)


def _as_json(runs: Sequence[RunEvaluation], figures: Sequence[Figure]) -> dict[str, Any]:
    rows = [{"seed": run.seed_results.seed, **run.scores.to_json()} for run in runs]
    scores: Mapping[str, Any] = rows[0] if len(rows) == 1 else {"runs": rows}
    return {"split": runs[0].plan.split.describe(), **scores, "figures": [figure.to_json() for figure in figures]}


def _show(runs: Sequence[RunEvaluation], figures: Sequence[Figure]) -> None:
    plan, seeds = runs[0].plan, len(runs)
    for run in runs:
        show_scores(run.scores, plan.split.describe(), plan.run_fold.name)
    few = "" if seeds >= LEAST_SEEDS else f"\n{seeds} of the {LEAST_SEEDS} seeds that a figure to quote needs"
    caption = f"{plan.split.describe()}; {plan.run_fold.name}{few}"
    title = f"{plan.split.corpus}: {'speakers shared' if plan.split.speakers_shared else 'unseen speakers'}"
    wide_console().print(figure_table(title, caption, [figure.to_json() for figure in figures]))
