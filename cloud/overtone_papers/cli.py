"""`overtone paper list` and `overtone paper run`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from overtone_cloud.cli import EXIT_INTERRUPTED
from overtone_cloud.cli.options import add_cache_option, add_corpora_option, name_and_value, read_corpora
from overtone_cloud.cli.output import timed_lines
from overtone_cloud.errors import ConfigError
from overtone_papers.catalogue import system, systems
from overtone_papers.common.options import spelled
from overtone_papers.common.report import VERDICTS, cell_text
from overtone_papers.common.study import Study
from overtone_papers.common.system import System

PLAIN_WIDTH = 140


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `paper list|run` to the command line."""
    parser = subparsers.add_parser("paper", help="five published systems, rebuilt: list, run")
    commands = parser.add_subparsers(dest="paper_command", required=True)
    listing = commands.add_parser("list", help="the systems with their parts, corpora and options")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(func=_list)
    run = commands.add_parser("run", help="run a system's experiment and write report.html and report.json")
    run.add_argument("system", metavar="A|B|C|D|E", help="which system")
    run.add_argument("--part", help="one part only (default: all)")
    add_corpora_option(run)
    run.add_argument("--seeds", type=int, default=1, metavar="N", help="repeat with that many seeds (default 1)")
    run.add_argument("--quick", action="store_true", help="real data and full networks, fewer epochs and folds")
    run.add_argument("--out", type=Path, metavar="DIR", help="where it goes on after an interruption (runs/paper-...)")
    run.add_argument("--jobs", type=int, metavar="N", help="processes that extract features (default: every core)")
    run.add_argument("--ray", metavar="ADDRESS", help="extract features on a Ray cluster (auto: the running one)")
    add_cache_option(run)
    run.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="see `overtone paper list`")
    run.add_argument("--json", action="store_true", help="print the report as JSON")
    run.set_defaults(func=_run)


def _list(args: argparse.Namespace) -> int:
    entries = systems()
    if args.json:
        listed = {letter: _described(entry) for letter, entry in entries.items()}
        print(json.dumps(listed, indent=1, ensure_ascii=False))
        return 0
    console = Console()
    for letter, entry in entries.items():
        for line in [f"{letter}  {entry}"] if isinstance(entry, str) else _lines(entry):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _lines(entry: System) -> list[str]:
    options = [f"     {name}={default}: {meaning}" for name, (meaning, default) in entry.options.items()]
    return [
        f"{entry.letter}  {entry.title} ({entry.paper})",
        f"   parts:   {', '.join(entry.parts)}",
        f"   needs:   {entry.requires}",
        *(["   options (with their defaults):", *options] if options else []),
    ]


def _described(entry: System | str) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"missing": entry}
    options = {name: {"meaning": meaning, "default": default} for name, (meaning, default) in entry.options.items()}
    parts = list(entry.parts)
    return {"title": entry.title, "paper": entry.paper, "parts": parts, "needs": entry.requires, "options": options}


def _run(args: argparse.Namespace) -> int:
    from overtone_papers.common.fitting import accelerators
    from overtone_papers.common.running import execute, report_path

    chosen = system(args.system)
    study = study_of(args, chosen)
    chosen.needs(study.readings)
    devices = accelerators()
    study.log(chosen.estimate(study))
    study.log(f"accelerator: {', '.join(devices) or 'TensorFlow sees none, it runs on the processor'}")
    try:
        report = execute(chosen, study, accelerators=devices)
    except KeyboardInterrupt:
        print(
            f"overtone: interrupted; what is done is kept in {study.out}, and the same command goes on from there",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    if args.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show(report)
        print(f"{report_path(chosen, study, 'html')} and report.json; {report['seconds']:.0f} s in all")
    return 0


def study_of(args: argparse.Namespace, chosen: System) -> Study:
    """Return the study that the command line describes; raise in one line for what cannot be."""
    from overtone_cloud.features.cache import cache_directory

    parts = chosen.chosen(args.part)
    options = _options(args.option, chosen)
    jobs = args.jobs if args.jobs is not None else len(os.sched_getaffinity(0))
    for name, value in (("--seeds", args.seeds), ("--jobs", jobs)):
        if value < 1:
            raise ConfigError(f"{name} is {value}, it must be at least 1")
    return Study(
        system=chosen.letter,
        readings={name: corpus.reading for name, corpus in read_corpora(args.corpus).items()},
        parts=parts,
        out=args.out or Path("runs") / f"paper-{chosen.letter.lower()}{'-quick' if args.quick else ''}",
        seeds=args.seeds,
        quick=args.quick,
        cache=args.cache or cache_directory(),
        jobs=jobs,
        ray=args.ray,
        options=options,
        log=timed_lines(),
    )


def _options(texts: Sequence[str], chosen: System) -> dict[str, str]:
    options: dict[str, str] = {}
    for text in texts:
        name, value = name_and_value(text, "--option", "NAME=VALUE")
        if spelled(name) not in chosen.options:
            known = ", ".join(chosen.options) or "none"
            raise ConfigError(f"--option {text}: system {chosen.letter} has no option {name!r}; there are: {known}")
        options[spelled(name)] = value
    return options


def show(report: dict[str, Any]) -> None:
    """Print the first table of each part and the reading of the claims; the rest is in the report's page."""
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    for part in report["parts"]:
        for table in part["tables"][:1]:
            shown = Table(*table["columns"], title=table["title"], caption=f"split: {part['split']}")
            for row in table["rows"]:
                shown.add_row(*(cell_text(cell) for cell in row))
            console.print(shown)
    for claim in report["claims"]:
        verdict = VERDICTS[claim["holds"]]
        console.print(f"{verdict}: {claim['claim']} ({claim['ours']})", highlight=False, markup=False, soft_wrap=True)
