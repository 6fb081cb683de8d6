"""`overtone benchmark recognition`: trains by a protocol and measures recognition as on a device."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from overtone_cloud.cli import EXIT_INTERRUPTED
from overtone_cloud.cli.options import (
    add_cache_option,
    add_corpora_option,
    named_corpus,
    read_corpora,
)
from overtone_cloud.cli.output import figure_table, timed_lines, wide_console
from overtone_cloud.errors import ConfigError
from overtone_cloud.recognition.benchmark import LEAST_SEEDS, PROTOCOLS, TRIAL_SETTINGS, Benchmark
from overtone_cloud.recognition.benchmark import run as run_benchmark
from overtone_cloud.recognition.joint import ALL
from overtone_cloud.recognition.limits import Limits
from overtone_cloud.recognition.measures import NAMES, read_measure_inputs
from overtone_cloud.recognition.report import HTML_NAME, JOINT_HEAD, JSON_NAME, joint_cells, write_report
from overtone_cloud.training.settings import TrainSettings, read_settings


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `benchmark recognition` to the command line."""
    parser = subparsers.add_parser("benchmark", help="measure trained networks on unseen speakers")
    commands = parser.add_subparsers(dest="benchmark_command", required=True)
    command = commands.add_parser("recognition", help="train by a protocol and measure recognition as on a device")
    add_corpora_option(command)
    command.add_argument(
        "--folds",
        action="append",
        default=[],
        metavar="[NAME=]FOLDS",
        help="a number, emobox or leave-one-speaker-out (default 6; up to 10 speakers: leave one out)",
    )
    command.add_argument("--seeds", type=int, metavar="N", help=f"number of seeds (default and minimum {LEAST_SEEDS})")
    command.add_argument(
        "--settings",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help=f"training settings, TOML or JSON; with NAME for that corpus, or for models of {ALL} corpora",
    )
    command.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (ESC-10); half is never trained")
    command.add_argument(
        "--speech", type=Path, metavar="DIR", help="neutral read speech (LibriSpeech); half is never trained"
    )
    command.add_argument("--protocol", action="append", choices=PROTOCOLS, help="only this, repeatable (default: all)")
    command.add_argument("--part", action="append", choices=NAMES, help="only this measure, repeatable (default: all)")
    command.add_argument("--calibrate-on", metavar="NAME=PATH", help="set temperature and threshold with this corpus")
    command.add_argument("--limit-bytes", type=int, default=Limits.max_bytes, metavar="N", help="of the int8 file")
    command.add_argument("--limit-multiply-adds", type=int, default=Limits.max_multiply_adds, metavar="N", help="3 s")
    command.add_argument("--quick", action="store_true", help="one fold, one seed, size S, few epochs: a trial")
    command.add_argument("--out", type=Path, metavar="DIR", help="results; an interrupted benchmark resumes there")
    add_cache_option(command)
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    benchmark = benchmark_of(args)
    try:
        for results, complete in run_benchmark(benchmark):
            report = write_report(benchmark, results, complete=complete)
    except KeyboardInterrupt:
        resume = f"finished steps are kept in {benchmark.out}; the same command resumes there"
        print(f"overtone: interrupted; {resume}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if args.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show(report)
        print(f"{benchmark.out / HTML_NAME} and {JSON_NAME}")
    return 0


def benchmark_of(args: argparse.Namespace) -> Benchmark:
    """Return the benchmark that the command line specifies; raise ConfigError in one line for invalid options."""
    corpora = read_corpora(args.corpus)
    settings = _settings(args.settings, tuple(corpora), quick=args.quick)
    general = settings.pop("", _read_settings(None, quick=args.quick))
    limits = Limits(max_bytes=args.limit_bytes, max_multiply_adds=args.limit_multiply_adds)
    return Benchmark(
        corpora=tuple(corpora.values()),
        settings=general,
        own_settings=settings,
        seeds=tuple(range(_seeds(args.seeds, quick=args.quick))),
        out=args.out or Path("runs") / f"recognition{'-quick' if args.quick else ''}",
        folds=_folds(args.folds, tuple(corpora)),
        measure_inputs=read_measure_inputs(args.sounds, args.speech, args.part, limits),
        protocols=tuple(args.protocol or PROTOCOLS),
        parts=tuple(args.part or NAMES),
        quick=args.quick,
        calibration=None if args.calibrate_on is None else named_corpus(args.calibrate_on, "--calibrate-on"),
        cache=args.cache,
        log=timed_lines(),
    )


def _settings(texts: Sequence[str], corpora: tuple[str, ...], *, quick: bool) -> dict[str, TrainSettings]:
    """Return the training settings by corpus, those for all others under ""."""
    files = _by_name(texts, "--settings", (*corpora, ALL))
    return {name: _read_settings(Path(file), quick=quick) for name, file in files.items()}


def _read_settings(path: Path | None, *, quick: bool) -> TrainSettings:
    """Return the settings in a file; the benchmark sets the seeds itself."""
    return replace(read_settings(path, TRIAL_SETTINGS if quick else None), seed=0)


def _folds(texts: Sequence[str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the folds by corpus; those without a corpus' name are for all that have none of their own."""
    folds = _by_name(texts, "--folds", names)
    general = folds.pop("", None)
    return folds if general is None else {**dict.fromkeys(names, general), **folds}


def _by_name(texts: Sequence[str], option: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the values of a repeated option of the form [NAME=]VALUE, each name once; without a name it is ""."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            name, value = "", text
        elif name not in names:
            raise ConfigError(f"{option} {text}: {name} is not one of {', '.join(names)}")
        if name in values:
            raise ConfigError(f"{option} is given twice {f'for {name}' if name else 'without a name'}")
        values[name] = value
    return values


def _seeds(number: int | None, *, quick: bool) -> int:
    least = 1 if quick else LEAST_SEEDS
    number = least if number is None else number
    if number < least:
        raise ConfigError(f"--seeds is {number}, it must be at least {least}: figures are given with their deviation")
    return number


def show(report: Mapping[str, Any]) -> None:
    """Print each corpus' figures with their targets, and the table of one model for all corpora."""
    console = wide_console()
    for name in report["corpora"]:
        rows = [row for row in report["figures"] if row["corpus"] == name]
        console.print(figure_table(f"{name}: unseen speakers", report["protocols"][name]["split"], rows))
    if report["joint"]:
        table = Table(*JOINT_HEAD, title="One model for all corpora: UAR")
        for row in report["joint"]:
            table.add_row(*joint_cells(row))
        console.print(table)
    if details := report["joint_details"]:
        console.print(figure_table("One model for all corpora", report["protocols"][ALL]["split"], details["figures"]))
    if report["quick"]:
        console.print("A quick run: its figures are not meaningful.")
