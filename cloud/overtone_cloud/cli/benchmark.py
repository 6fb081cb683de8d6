"""`overtone benchmark recognition`."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from overtone_cloud.cli.options import name_and_value, timed_lines
from overtone_cloud.conditions.read_speech import read_speech
from overtone_cloud.conditions.sounds import sound_halves
from overtone_cloud.corpora.registry import NAMES as CORPUS_NAMES
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.errors import ConfigError
from overtone_cloud.recognition.benchmark import PROTOCOLS, Benchmark
from overtone_cloud.recognition.benchmark import run as run_benchmark
from overtone_cloud.recognition.joint import ALL
from overtone_cloud.recognition.limits import Limits
from overtone_cloud.recognition.measures import NAMES, Material
from overtone_cloud.recognition.protocol import Given
from overtone_cloud.training.settings import TrainSettings
from overtone_common.toml_config import load_toml

EXIT_INTERRUPTED = 130
LEAST_SEEDS = 3
QUICK = {"size": "S", "epochs": 4, "evaluate_every_epochs": 2, "patience_epochs": 4, "warmup_steps": 10}
NEEDS = {"noise": "--sounds", "sounds": "--sounds", "speech": "--speech"}
PLAIN_WIDTH = 120


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `benchmark recognition` to the command line."""
    parser = subparsers.add_parser("benchmark", help="measure trained networks on unseen speakers")
    commands = parser.add_subparsers(dest="benchmark_command", required=True)
    command = commands.add_parser("recognition", help="train by a protocol and measure what devices would recognise")
    names = ", ".join(CORPUS_NAMES)
    command.add_argument("--corpus", action="append", required=True, metavar="NAME=PATH", help=f"NAME: {names}")
    command.add_argument(
        "--folds",
        action="append",
        default=[],
        metavar="[NAME=]FOLDS",
        help="a number, emobox or leave-one-speaker-out (default 6; up to 10 speakers: leave one out)",
    )
    command.add_argument("--seeds", type=int, metavar="N", help=f"how many (default and least {LEAST_SEEDS})")
    command.add_argument(
        "--settings",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help=f"training settings, TOML or JSON; with NAME of that corpus, or of models of {ALL} corpora",
    )
    command.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (ESC-10); a half is never trained")
    command.add_argument(
        "--speech", type=Path, metavar="DIR", help="neutral read speech (LibriSpeech); half is never trained"
    )
    command.add_argument("--protocol", action="append", choices=PROTOCOLS, help="only this, repeatable (default: all)")
    command.add_argument("--part", action="append", choices=NAMES, help="only this measure, repeatable (default: all)")
    command.add_argument("--calibrate-on", metavar="NAME=PATH", help="set temperature and threshold with this corpus")
    command.add_argument("--limit-bytes", type=int, default=Limits.max_bytes, metavar="N", help="of the int8 file")
    command.add_argument("--limit-multiply-adds", type=int, default=Limits.max_multiply_adds, metavar="N", help="3 s")
    command.add_argument("--quick", action="store_true", help="one fold, one seed, size S, few epochs: a trial")
    command.add_argument("--out", type=Path, metavar="DIR", help="where it goes on after an interruption")
    command.add_argument("--cache", type=Path, metavar="DIR", help="where features are kept")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    from overtone_cloud.recognition.report import HTML_NAME, JSON_NAME, write_report

    benchmark = benchmark_of(args)
    try:
        for findings, complete in run_benchmark(benchmark):
            report = write_report(benchmark, findings, complete=complete)
    except KeyboardInterrupt:
        kept = f"what is done is kept in {benchmark.out}, and the same command goes on from there"
        print(f"overtone: interrupted; {kept}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if args.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show(report)
        print(f"{benchmark.out / HTML_NAME} and {JSON_NAME}")
    return 0


def benchmark_of(args: argparse.Namespace) -> Benchmark:
    """Return what the command line asks for; raise in one line for what cannot be."""
    corpora = read_corpora(args.corpus)
    files = _named(args.settings, "--settings", (*corpora, ALL))
    own = {name: read_settings(Path(file), quick=args.quick) for name, file in files.items()}
    general = own.pop("", None) or read_settings(None, quick=args.quick)
    return Benchmark(
        corpora=tuple(corpora.values()),
        settings=replace(general, seed=0),
        own_settings={name: replace(settings, seed=0) for name, settings in own.items()},
        seeds=tuple(range(_seeds(args.seeds, quick=args.quick))),
        out=args.out or Path("runs") / f"recognition{'-quick' if args.quick else ''}",
        folds=_folds(args.folds, tuple(corpora)),
        material=_material(args),
        protocols=tuple(args.protocol or PROTOCOLS),
        parts=tuple(args.part or NAMES),
        quick=args.quick,
        calibration=None if args.calibrate_on is None else _given(args.calibrate_on, "--calibrate-on"),
        cache=args.cache,
        log=timed_lines(),
    )


def read_corpora(given: Sequence[str]) -> dict[str, Given]:
    """Return the corpora named on a command line as NAME=PATH, each once."""
    corpora: dict[str, Given] = {}
    for text in given:
        corpus = _given(text, "--corpus")
        if corpus.name in corpora:
            raise ConfigError(f"--corpus {text}: {corpus.name} is given twice")
        corpora[corpus.name] = corpus
    return corpora


def _given(text: str, option: str) -> Given:
    name, path = name_and_value(text, option, "NAME=PATH")
    where = Path(path).expanduser()
    return Given(path=where, reading=read_corpus(where, name))


def _folds(given: Sequence[str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the folds by corpus; those given without a corpus' name are for all that have none of their own."""
    folds = _named(given, "--folds", names)
    general = folds.pop("", None)
    return folds if general is None else {**dict.fromkeys(names, general), **folds}


def _named(given: Sequence[str], option: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the values of an option that is given as [NAME=]VALUE, each name once; without a name it is ""."""
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            name, value = "", text
        elif name not in names:
            raise ConfigError(f"{option} {text}: {name} is not one of {', '.join(names)}")
        if name in values:
            raise ConfigError(f"{option} is given twice {f'for {name}' if name else 'without a name'}")
        values[name] = value
    return values


def _seeds(given: int | None, *, quick: bool) -> int:
    least = 1 if quick else LEAST_SEEDS
    number = least if given is None else given
    if number < least:
        raise ConfigError(f"--seeds is {number}, it must be at least {least}: a figure needs its deviation")
    return number


def read_settings(path: Path | None, *, quick: bool = False) -> TrainSettings:
    """Return the training settings in a TOML or JSON file, the usual ones without; `quick` makes a trial of them."""
    values: dict[str, Any] = {}
    if path is not None:
        values = _json(path) if path.suffix == ".json" else load_toml(path, error=ConfigError)
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path} holds no table of settings")
    if quick:
        values = {**values, **QUICK}
    return TrainSettings.from_json(values, where=str(path or "command line"))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _material(args: argparse.Namespace) -> Material:
    limits = Limits(max_bytes=args.limit_bytes, max_multiply_adds=args.limit_multiply_adds)
    return read_material(args.sounds, args.speech, args.part, limits)


def read_material(
    sounds: Path | None, speech: Path | None, parts: Sequence[str] | None, limits: Limits | None = None
) -> Material:
    """Return what is in the folders given; raise where a part that is asked for needs one that is not."""
    given = {"--sounds": sounds, "--speech": speech}
    for part in parts or ():
        option = NEEDS.get(part)
        if option is not None and given[option] is None:
            raise ConfigError(f"--part {part} needs {option} DIR")
    return Material(
        sounds=None if sounds is None else sound_halves(sounds),
        speech=None if speech is None else read_speech(speech),
        limits=limits or Limits(),
    )


def show(report: Mapping[str, Any]) -> None:
    """Print each corpus' figures beside their targets, and the table of one model for all corpora."""
    from overtone_cloud.recognition.report import JOINT_HEAD, joint_cells

    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
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
        console.print("A quick run: its figures say nothing.")


def figure_table(title: str, caption: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return figures (as JSON) beside their targets."""
    from overtone_cloud.recognition.report import figure_cells

    table = Table("figure", title=title, caption=caption)
    for heading in ("mean ± sd", "target", "met"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*figure_cells(row))
    return table
