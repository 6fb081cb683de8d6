"""`overtone convert`: a training run, or window networks, as verified bundles."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overtone_cloud.bundles.conversion import EDGE_NAME, BundleIdentity, convert_run
from overtone_cloud.bundles.sources import bundle_path
from overtone_cloud.bundles.windows import bundle_files, convert_window, window_folders
from overtone_cloud.cli import EXIT_FAILED
from overtone_cloud.cli.options import RenamedCommandError, add_cache_option
from overtone_cloud.cli.output import show_findings
from overtone_cloud.errors import TrainingError
from overtone_converters.errors import ConversionError
from overtone_models.errors import ModelError

COLUMNS = ("network", "form", "bundle", "multiply-adds", "p50", "features", "accuracy", "change", "agreement")


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """The command line of `overtone convert`."""

    source: Path
    out: Path | None
    identity: BundleIdentity
    corpus: Path | None
    cache: Path | None
    as_json: bool


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `convert` to the command line."""
    text = "convert a run, or window networks, to verified bundles"
    parser = subparsers.add_parser("convert", help=text, description=text)
    parser.add_argument(
        "source", type=Path, metavar="FOLDER", help="a run, a window network's folder, or a folder of those"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="needed for a run; else FOLDER/NAME.bundle")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="sign with keys made by `overtone keys`")
    parser.add_argument("--version", type=int, default=1, help="must grow with every release (default 1)")
    parser.add_argument("--name", help=f"the model's name in the bundle (default {EDGE_NAME}, or the network's)")
    parser.add_argument("--corpus", type=Path, help="the corpus' folder, if it has moved")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true")
    for option in ("--micro", "--onnx"):
        parser.add_argument(option, help=argparse.SUPPRESS)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    for option, target in (("--micro", args.micro), ("--onnx", args.onnx)):
        if target is not None:
            raise RenamedCommandError(
                f"`convert {option}` is another command now: overtone export {args.source} {option} {target}"
            )
    options = ConvertOptions(
        source=bundle_path(args.source),
        out=args.out,
        identity=BundleIdentity(name=args.name or "", version=args.version, keys=args.keys),
        corpus=args.corpus,
        cache=args.cache,
        as_json=args.json,
    )
    if options.source.is_file():
        raise RenamedCommandError(
            f"{args.source} is a bundle already; `overtone sign {args.source} --keys DIR --out FILE` signs it, "
            "`overtone export` writes it as C or ONNX"
        )
    return convert(options)


def convert(options: ConvertOptions) -> int:
    """Convert what is in the source folder; return 1 where one of several networks could not be converted."""
    named = replace(options.identity, name=options.identity.name or EDGE_NAME)
    named.check()
    if folders := window_folders(options.source):
        return _convert_windows(options, folders)
    if options.out is None:
        raise TrainingError(f"{options.source} is not a window network's folder; a run needs --out FILE")
    conversion = convert_run(
        options.source, name=named.name, version=named.version, corpus=options.corpus, cache=options.cache
    )
    show_findings(conversion.verification.to_json(), as_json=options.as_json)
    size = conversion.write(options.out, named)
    if not options.as_json:
        print(f"{options.out}: {size} bytes, {_signed(named.keys is not None)}")
    return 0


def _convert_windows(options: ConvertOptions, folders: Sequence[Path]) -> int:
    files = bundle_files(folders, options.out)
    several = len(folders) > 1
    rows: list[dict[str, Any]] = []
    for number, (folder, file) in enumerate(zip(folders, files, strict=True), 1):
        if several:
            print(f"{number}/{len(folders)} {folder.name}", file=sys.stderr, flush=True)
        try:
            rows.append(convert_window(folder, file, options.identity).to_json())
        except (ConversionError, ModelError) as error:
            if not several:
                raise
            print(f"overtone: {folder}: {error}", file=sys.stderr)
    print(json.dumps(rows if several else rows[0], indent=1) if options.as_json else "\n".join(_table(rows)))
    return 0 if len(rows) == len(folders) else EXIT_FAILED


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of the table, and below it what a reader must know of each network."""
    cells = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    for row in rows:
        name = row["network"]
        lines += [f"{name}: not as {reason}" for reason in row["given_up"]]
        lines.append(f"{name}: {_use(row)}; {row['rows']} test rows, split: {row['split']}")
        lines.append(f"{name}: {row['file']}, {_signed(row['signed'])}")
    return lines


def _use(row: dict[str, Any]) -> str:
    if row["refused_by_agent"]:
        return f"not for the agent: {row['refused_by_agent']}"
    return f"cannot stream: looks at the last {row['window_s']:g} s every {row['decision_every_s']:g} s"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    features = row["features_p50_ms"]
    return (
        row["network"],
        row["form"],
        f"{row['bundle_bytes'] / 1e6:.2f} MB",
        f"{row['multiply_adds'] / 1e6:,.1f} M",
        f"{row['latency_p50_ms']:.2f} ms",
        "-" if features is None else f"{features:.2f} ms",
        f"{100 * row['accuracy_device']:.1f} %",
        f"{100 * row['accuracy_change']:+.1f}",
        f"{100 * row['label_agreement']:.1f} %",
    )


def _signed(signed: bool) -> str:
    return "signed" if signed else "not signed"
