"""`overtone train`."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from overtone_cloud.cli.split_options import add_split_options, asked_split, given_options
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.split_file import Split, load_split
from overtone_cloud.errors import ConfigError
from overtone_cloud.training import progress
from overtone_cloud.training.experiment import Plan, train_run
from overtone_cloud.training.metrics import Scores
from overtone_cloud.training.run_folder import METRICS, RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_common.toml_config import load_toml


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train` to the command line."""
    train = subparsers.add_parser("train", help="train an edge network on a corpus")
    train.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus' folder or a CSV manifest")
    train.add_argument("--corpus-name", help="which corpus it is (default: recognised by its names)")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="run folder; an interrupted run goes on")
    train.add_argument("--split", type=Path, metavar="FILE", help="a split made by `overtone data split`")
    train.add_argument("--fold", help="which fold of the split (name or number from 1)")
    add_split_options(train)
    train.add_argument("--split-seed", type=int, help="draws the split's folds (default 0), whatever --seed is")
    train.add_argument("--config", type=Path, metavar="TOML", help="training settings")
    train.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (ESC-10): noise, and no emotion")
    train.add_argument("--speech", type=Path, metavar="DIR", help="read speech (LibriSpeech): half trains as neutral")
    train.add_argument("--size", choices=("S", "M", "L"))
    train.add_argument("--epochs", type=int)
    train.add_argument("--seed", type=int, help="first seed (default 0)")
    train.add_argument("--seeds", type=int, default=1, help="train that many seeds and report mean and deviation")
    train.add_argument("--cache", type=Path, metavar="DIR", help="where features are kept")
    train.add_argument("--json", action="store_true")
    train.set_defaults(func=_train)


def _train(args: argparse.Namespace) -> int:
    settings = _settings(args)
    settings = replace(settings, neutral_speech=settings.neutral_speech or args.speech is not None)
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
    plan = replace(plan, fold=plan.chosen.name)
    console = Console(stderr=True)
    results: list[Scores] = []
    for seed in range(settings.seed, settings.seed + args.seeds):
        folder = RunFolder(args.out if args.seeds == 1 else args.out / f"seed{seed}")
        with _progress(console) as bars:
            features = bars.add_task("features", total=None)
            epochs = bars.add_task(f"seed {seed}", total=settings.epochs, start=False)
            _, result = train_run(
                plan,
                replace(settings, seed=seed),
                folder,
                cache=args.cache,
                progress=_bar(bars, features),
                report=_epoch_bar(bars, epochs, seed),
            )
        results.append(result)
        if seed == settings.seed:
            report_skipped(folder)
        if not args.json:
            show_scores(result, plan.split.describe(), plan.chosen.name)
    summary = summarise(results, plan)
    if args.seeds > 1:
        RunFolder(args.out).write_json("summary.json", summary)
    _print_summary(summary, args)
    return 0


def _settings(args: argparse.Namespace) -> TrainSettings:
    values: dict[str, Any] = {}
    if args.config:
        values = load_toml(args.config, error=ConfigError)
    for name in ("size", "epochs", "seed"):
        if getattr(args, name) is not None:
            values[name] = getattr(args, name)
    return TrainSettings.from_json(values, where=str(args.config or "command line"))


def _split(args: argparse.Namespace) -> Split:
    if args.split:
        given = given_options(args) + ([] if args.split_seed is None else ["--split-seed"])
        if given:
            raise ConfigError(f"--split {args.split} says who is tested, {', '.join(given)} too: give one of them")
        return load_split(args.split)
    return asked_split(args, read_corpus(args.corpus, args.corpus_name).utterances, args.split_seed or 0)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        yield bars


def _bar(bars: Progress, task: Any) -> Any:
    return lambda done, total: bars.update(task, completed=done, total=total)


def _epoch_bar(bars: Progress, task: Any, seed: int) -> progress.Report:
    def report(entry: progress.Entry) -> None:
        if not bars.tasks[task].started:
            bars.start_task(task)
        bars.update(task, completed=entry["epoch"], description=f"seed {seed}, {progress.how_well(entry)}")

    return report


def report_skipped(folder: RunFolder) -> None:
    """Name on stderr the utterances that were left out, with their count."""
    skipped = folder.read_json(METRICS)["skipped"]
    if skipped:
        more = f" and {len(skipped) - 5} more" if len(skipped) > 5 else ""
        print(
            f"overtone: {len(skipped)} utterances skipped, unreadable or without 100 ms of speech: "
            f"{', '.join(skipped[:5])}{more}",
            file=sys.stderr,
        )


def summarise(results: Sequence[Scores], plan: Plan) -> dict[str, Any]:
    """Return mean and standard deviation over seeds."""
    uars = np.array([r.uar for r in results])
    return {
        "split": plan.split.describe(),
        "fold": plan.chosen.name,
        "speakers_shared": plan.split.speakers_shared,
        "seeds": len(results),
        "uar": [round(float(u), 4) for u in uars],
        "uar_mean": round(float(uars.mean()), 4),
        "uar_sd": round(float(uars.std(ddof=1)), 4) if len(uars) > 1 else None,
        "accuracy_mean": round(float(np.mean([r.accuracy for r in results])), 4),
    }


def _print_summary(summary: dict[str, Any], args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps(summary, indent=1))
        return
    deviation = "" if summary["uar_sd"] is None else f" +- {100 * summary['uar_sd']:.1f}"
    print(f"UAR {100 * summary['uar_mean']:.1f}{deviation} % over {summary['seeds']} seed(s); {summary['split']}")
    print(f"run folder: {args.out}")


def show_scores(result: Scores, split: str, fold: str) -> None:
    """Print the tables of one evaluation."""
    console = Console()
    console.print(f"[bold]UAR {100 * result.uar:.1f} %[/]  {split}; fold {fold}")
    console.print(
        f"accuracy {100 * result.accuracy:.1f} %  macro F1 {100 * result.macro_f1:.1f} %  "
        f"calibration error {100 * result.calibration_error:.1f} %  "
        f"decided {100 * result.decided:.0f} % of utterances, {100 * result.accuracy_when_decided:.1f} % of them right"
    )
    table = Table("emotion", "recall %", "precision %", "utterances")
    totals = result.confusion.sum(1)
    for label, recall, precision, n in zip(result.labels, result.recalls, result.precisions, totals, strict=True):
        table.add_row(label, f"{100 * recall:.1f}", f"{100 * precision:.1f}", str(n))
    console.print(table)
    speakers = Table("speaker", "UAR %")
    for speaker, uar in result.per_speaker.items():
        speakers.add_row(speaker, f"{100 * uar:.1f}")
    console.print(speakers)
