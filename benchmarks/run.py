"""Runs every measurement, keeps each one's JSON, and prints one table: figure, measured, target, met or not.

A target that is not met does not make the run fail; a measurement that cannot be made does.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import _common
import _targets

FOLDER = Path(__file__).resolve().parent
SCRIPTS = ("front_end", "whole_path", "training_step", "memory_and_start", "listening_while_learning", "growth")
# The measurements themselves keep one core busy; what is beyond that is something else.
BUSY = 1.5


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="default: the pretrained medium")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="speech (default: the bundle's golden clip)")
    parser.add_argument("--size", choices=_common.SIZES, help="of a network with random weights instead")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER", help="(default build/bench)")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--minutes", type=float, default=1.0, help="of each run at real pace (the target: 10)")
    parser.add_argument("--quick", action="store_true", help="too short to say anything: see that all of it runs")
    return parser


def options(name: str, arguments: argparse.Namespace, bundle: Path) -> list[str]:
    """Return a script's command line."""
    line = ["--bundle", str(bundle)]
    if arguments.wav is not None:
        line += ["--wav", str(arguments.wav)]
    if arguments.quick:
        line += ["--rounds", "3", "--seconds", "6"]
    if name == "listening_while_learning":
        line += ["--minutes", "0.05" if arguments.quick else str(arguments.minutes)]
    if name == "growth":
        line += ["--plot", str(arguments.out / "growth.png"), *(["--quick"] if arguments.quick else [])]
    return line


def run(name: str, line: list[str]) -> dict:
    """Return a script's report; where it fails, one with its last line as `error`."""
    process = subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), *line], stdout=subprocess.PIPE, check=False)
    try:
        return json.loads(process.stdout)
    except ValueError:
        return {"benchmark": name, "error": f"failed with status {process.returncode}", "targets": []}


def keep(report: dict, folder: Path) -> None:
    """Write a report to the folder, all or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{report['benchmark']}.json"
    part = file.with_suffix(".part")
    part.write_text(_targets.dumps(report) + "\n")
    part.replace(file)


def bundle_of(arguments: argparse.Namespace) -> Path:
    """Return the file of the bundle to measure; one with random weights is made by a process of its own."""
    sys.path.extend(path for path in _common.PATHS if path not in sys.path)
    existing = arguments.bundle or _common.default_bundle(arguments.size)
    if existing is not None:
        return existing
    size = arguments.size or _common.RANDOM
    file = arguments.out / f"random-{size}.bundle"
    print(f"==> a bundle of size {size}", file=sys.stderr, flush=True)
    make = "import sys, pathlib, _common; pathlib.Path(sys.argv[2]).write_bytes(_common.random_bundle(sys.argv[1]))"
    file.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), *_common.PATHS])}
    subprocess.run([sys.executable, "-c", make, size, str(file)], check=True, env=environment)
    return file


def machine(reports: list[dict]) -> str:
    """Return one line on the machine, with a warning where something else ran."""
    machines = [report["machine"] for report in reports if "machine" in report]
    if not machines:
        return "nothing was measured"
    first, load = machines[0], max(entry["load"] for entry in machines)
    line = f"{first['model']}, {first['architecture']}, Python {first['python']}, one thread; load up to {load:.1f}"
    return line + (": something else ran, measure again" if load > BUSY else "")


def main(argv: list[str] | None = None) -> int:
    """Measure everything, print the table, and return 0; 1 where a measurement could not be made."""
    arguments = build_parser().parse_args(argv)
    bundle = bundle_of(arguments)
    reports = []
    for name in arguments.only:
        began = time.monotonic()
        print(f"==> {name}", file=sys.stderr, flush=True)
        reports.append(run(name, options(name, arguments, bundle)))
        keep(reports[-1], arguments.out)
        print(f"    {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(machine(reports))
    print(_targets.table(reports))
    print(f"\n{arguments.out}/*.json")
    return 1 if any("error" in report for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
