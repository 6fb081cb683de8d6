"""`overtone convert` and `overtone verify` for networks over a window of speech: folders, bundles, one table."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_atomically
from overtone_models.bundle import Bundle
from overtone_models.errors import ModelError
from overtone_models.window_model import is_window_folder

COLUMNS = ("network", "form", "bundle", "multiply-adds", "p50", "features", "accuracy", "change", "agreement")


def window_folders(folder: Path) -> list[Path]:
    """Return the folder where it holds a window network, else those in it that do."""
    if is_window_folder(folder):
        return [folder]
    try:
        return sorted(inner for inner in folder.iterdir() if is_window_folder(inner))
    except OSError:
        return []


def convert_windows(args: argparse.Namespace, folders: list[Path]) -> int:
    """Write a bundle for each folder and print one table; return 1 where one of them could not be converted."""
    from overtone_converters.errors import ConversionError

    if len(folders) > 1 and args.out is not None and args.out.suffix:
        raise TrainingError(f"{args.run} holds {len(folders)} networks: --out must be a folder, not {args.out}")
    rows: list[dict[str, Any]] = []
    failed = 0
    for number, folder in enumerate(folders, 1):
        if len(folders) > 1:
            print(f"{number}/{len(folders)} {folder.name}", file=sys.stderr, flush=True)
        try:
            rows.append(_convert(args, folder, _target(args, folder, several=len(folders) > 1)))
        except (ConversionError, ModelError) as error:
            if len(folders) == 1:
                raise
            failed += 1
            print(f"overtone: {folder}: {error}", file=sys.stderr)
    print(json.dumps(rows if len(folders) > 1 else rows[0], indent=1) if args.json else "\n".join(table(rows)))
    return 1 if failed else 0


def _target(args: argparse.Namespace, folder: Path, *, several: bool) -> Path:
    name = f"{folder.name}.bundle"
    if args.out is None:
        return folder / name
    return Path(args.out) / name if several else Path(args.out)


def _convert(args: argparse.Namespace, folder: Path, target: Path) -> dict[str, Any]:
    from overtone_cloud.bundles.sources import golden
    from overtone_converters.signing import sign_bundle
    from overtone_converters.window_build import build_window_bundle
    from overtone_converters.window_network import load_network
    from overtone_converters.window_verify import require_window, verify_window
    from overtone_models.bundle import read_bundle

    network = load_network(folder)
    name = args.name or network.model.network
    made = build_window_bundle(network, golden(), name=name, version=args.version)
    found = verify_window(read_bundle(made.bundle), network)
    require_window(found)
    data = made.bundle
    if args.keys:
        data = sign_bundle(data, name=name, version=args.version, keys=args.keys)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{target.parent}: cannot be made: {error.strerror or error}") from error
    write_atomically(target, data, error=TrainingError)
    return {
        "folder": str(folder),
        "file": str(target),
        "bundle_bytes": len(data),
        "signed": bool(args.keys),
        "form": str(made.form),
        "given_up": list(made.given_up),
        "multiply_adds": made.multiply_adds,
        "split": network.model.split,
        **found.to_json(),
    }


def verify_windows(args: argparse.Namespace, bundle: Bundle) -> int:
    """Compare a bundle with the network in a folder again, and print what was found."""
    from overtone_cloud.cli.convert import show
    from overtone_converters.window_network import load_network
    from overtone_converters.window_verify import require_window, verify_window

    found = verify_window(bundle, load_network(args.run))
    show(found.to_json(), args.json)
    require_window(found)
    return 0


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of the table, and below it what a reader must know of each network."""
    cells = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    for row in rows:
        name = row["network"]
        lines += [f"{name}: not as {reason}" for reason in row["given_up"]]
        lines.append(f"{name}: {_use(row)}; {row['rows']} test rows, split: {row['split']}")
        lines.append(f"{name}: {row['file']}, {'signed' if row['signed'] else 'not signed'}")
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
