"""`overtone train`: an edge network on one corpus, with one seed or several."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from overtone_cloud.cli.options import add_cache_option, add_split_options, split_options
from overtone_cloud.cli.output import show_scores, show_skipped
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.split_file import Split, load_split
from overtone_cloud.errors import ConfigError
from overtone_cloud.training.experiment import Plan, summarise_seeds, train_run
from overtone_cloud.training.metrics import Scores
from overtone_cloud.training.run_folder import METRICS, Entry, Report, RunFolder, epoch_summary
from overtone_cloud.training.settings import TrainSettings, read_settings

SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The command line of `overtone train`; `settings` hold the first seed."""

    plan: Plan
    settings: TrainSettings
    seeds: int
    out: Path
    cache: Path | None
    as_json: bool

    def folder(self, seed: int) -> RunFolder:
        """Return the run folder of one seed."""
        return RunFolder(self.out if self.seeds == 1 else self.out / f"seed{seed}")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train` to the command line."""
    train = subparsers.add_parser("train", help="train an edge network on a corpus")
    train.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus' folder or a CSV manifest")
    train.add_argument("--corpus-name", help="which corpus it is (default: by its files' names)")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="run folder; an interrupted run resumes")
    train.add_argument("--split", type=Path, metavar="FILE", help="a split made by `overtone data split`")
    train.add_argument("--fold", help="which fold of the split (name or number from 1)")
    add_split_options(train)
    train.add_argument("--split-seed", type=int, help="seed of the split's folds (default 0), independent of --seed")
    train.add_argument("--config", type=Path, metavar="TOML", help="training settings")
    train.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (ESC-10): noise, and no emotion")
    train.add_argument("--speech", type=Path, metavar="DIR", help="read speech (LibriSpeech): half trains as neutral")
    train.add_argument("--size", choices=("S", "M", "L"))
    train.add_argument("--epochs", type=int)
    train.add_argument("--seed", type=int, help="first seed (default 0)")
    train.add_argument("--seeds", type=int, default=1, help="train that many seeds and report mean and deviation")
    add_cache_option(train)
    train.add_argument("--json", action="store_true")
    train.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    changes = {name: getattr(args, name) for name in ("size", "epochs", "seed") if getattr(args, name) is not None}
    settings = read_settings(args.config, changes)
    if args.seeds < 1:
        raise ConfigError(f"--seeds is {args.seeds}, it must be at least 1")
    plan = Plan(
        corpus=args.corpus,
        corpus_name=args.corpus_name,
        fold=args.fold,
        split=_split(args),
        sounds=args.sounds,
        speech=args.speech,
    )
    options = TrainOptions(
        plan=replace(plan, fold=plan.run_fold.name),
        settings=replace(settings, neutral_speech=settings.neutral_speech or args.speech is not None),
        seeds=args.seeds,
        out=args.out,
        cache=args.cache,
        as_json=args.json,
    )
    return train(options)


def _split(args: argparse.Namespace) -> Split:
    """Return the split in the file of --split, or the one that the other options describe."""
    options = split_options(args)
    if args.split is None:
        return options.split(read_corpus(args.corpus, args.corpus_name).utterances, args.split_seed or 0)
    if others := [*options.present, *([] if args.split_seed is None else ["--split-seed"])]:
        raise ConfigError(f"--split {args.split} says who is tested, {', '.join(others)} too: give one of them")
    return load_split(args.split)


def train(options: TrainOptions) -> int:
    """Train every seed, show each one's scores, and print mean and deviation."""
    console = Console(stderr=True)
    results: list[Scores] = []
    first = options.settings.seed
    for seed in range(first, first + options.seeds):
        results.append(_train_seed(options, seed, console))
        if seed == first:
            show_skipped(options.folder(seed).read_json(METRICS)["skipped"])
        if not options.as_json:
            show_scores(results[-1], options.plan.split.describe(), options.plan.run_fold.name)
    summary = summarise_seeds(results, options.plan)
    if options.seeds > 1:
        RunFolder(options.out).write_json(SUMMARY, summary)
    _show_summary(summary, options)
    return 0


def _train_seed(options: TrainOptions, seed: int, console: Console) -> Scores:
    settings = replace(options.settings, seed=seed)
    with _progress_bars(console) as bars:
        features = bars.add_task("features", total=None)
        epochs = bars.add_task(f"seed {seed}", total=settings.epochs, start=False)
        _, scores = train_run(
            options.plan,
            settings,
            options.folder(seed),
            cache=options.cache,
            progress=_bar(bars, features),
            report=_epoch_bar(bars, epochs, seed),
        )
    return scores


@contextmanager
def _progress_bars(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        yield bars


def _bar(bars: Progress, task: Any) -> Any:
    return lambda done, total: bars.update(task, completed=done, total=total)


def _epoch_bar(bars: Progress, task: Any, seed: int) -> Report:
    def report(entry: Entry) -> None:
        if not bars.tasks[task].started:
            bars.start_task(task)
        bars.update(task, completed=entry["epoch"], description=f"seed {seed}, {epoch_summary(entry)}")

    return report


def _show_summary(summary: dict[str, Any], options: TrainOptions) -> None:
    if options.as_json:
        print(json.dumps(summary, indent=1))
        return
    deviation = "" if summary["uar_sd"] is None else f" +- {100 * summary['uar_sd']:.1f}"
    print(f"UAR {100 * summary['uar_mean']:.1f}{deviation} % over {summary['seeds']} seed(s); {summary['split']}")
    print(f"run folder: {options.out}")
