"""`overtone export`: a streaming network as C for TensorFlow Lite Micro, or as ONNX for GPUs."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.bundles.conversion import convert_run
from overtone_cloud.bundles.exports import ExportTargets, export_bundle
from overtone_cloud.bundles.sources import bundle_path, load_bundle
from overtone_cloud.bundles.windows import window_folders
from overtone_cloud.cli.options import add_cache_option
from overtone_cloud.errors import ConfigError, TrainingError
from overtone_models.bundle import Bundle


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The command line of `overtone export`."""

    source: Path
    targets: ExportTargets
    corpus: Path | None
    cache: Path | None


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export` to the command line."""
    text = "write a streaming network as C for microcontrollers or as ONNX for GPUs, once it is checked"
    parser = subparsers.add_parser("export", help="write a network as C or as ONNX", description=text)
    parser.add_argument("source", type=Path, metavar="BUNDLE", help="a bundle, a pretrained model's name, or a run")
    parser.add_argument("--micro", type=Path, metavar="DIR", help="write the int8 model as C for TFLite Micro")
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="write the float network as ONNX")
    parser.add_argument("--corpus", type=Path, help="of a run: the corpus' folder, if it has moved")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    if args.micro is None and args.onnx is None:
        raise ConfigError("export needs --micro DIR or --onnx FILE")
    targets = ExportTargets(micro=args.micro, onnx=args.onnx)
    options = ExportOptions(source=bundle_path(args.source), targets=targets, corpus=args.corpus, cache=args.cache)
    targets.check_libraries()
    exports = export_bundle(_bundle(options), targets)
    if args.json:
        reports = {name: export.report for name, export in exports.items()}
        print(json.dumps(reports if len(reports) > 1 else next(iter(reports.values())), indent=1))
    else:
        print("\n".join(export.summary for export in exports.values()))
    return 0


def _bundle(options: ExportOptions) -> Bundle:
    """Return the bundle in the source, or that of the run there."""
    if options.source.is_file():
        return load_bundle(options.source)
    if window_folders(options.source):
        option = "--micro" if options.targets.micro is not None else "--onnx"
        raise TrainingError(
            f"{options.source} holds networks that look at whole windows; {option} takes a run or its bundle"
        )
    return convert_run(options.source, corpus=options.corpus, cache=options.cache).bundle
