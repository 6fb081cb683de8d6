"""`overtone convert` and `overtone keys`."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from overtone_cloud.bundles.forms import asked_forms, write_forms
from overtone_cloud.bundles.sources import bundle_path, calibration_utterances, golden, load_bundle, utterances_of
from overtone_cloud.bundles.windows import convert_windows, window_folders
from overtone_cloud.errors import TrainingError
from overtone_cloud.training.experiment import divide, load_plan, read_features
from overtone_cloud.training.features import Features
from overtone_cloud.training.run_folder import RunFolder
from overtone_common.files import write_atomically
from overtone_models.bundle import read_bundle

EDGE_NAME = "edge-tcn"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `convert` and `keys` to the command line."""
    convert = subparsers.add_parser("convert", help="make a verified bundle of a run or of a window network")
    convert.add_argument(
        "run",
        type=Path,
        metavar="FOLDER",
        help="a run, a window network, or a folder of those; a bundle or a pretrained name for --micro, --onnx, --keys",
    )
    convert.add_argument("--out", type=Path, metavar="FILE", help="needed for a run; else FOLDER/NAME.bundle")
    convert.add_argument("--keys", type=Path, metavar="DIR", help="keys made by `overtone keys`; without: unsigned")
    convert.add_argument("--micro", type=Path, metavar="DIR", help="also write the model as C for TFLite Micro")
    convert.add_argument("--onnx", type=Path, metavar="FILE", help="also write the float network as ONNX, for GPUs")
    convert.add_argument("--version", type=int, default=1, help="must grow with every release (default 1)")
    convert.add_argument("--name", help="the model's name in the bundle (default edge-tcn, or the network's)")
    convert.add_argument("--corpus", type=Path, help="where the corpus is, if it has moved")
    convert.add_argument("--cache", type=Path, metavar="DIR", help="where features are kept")
    convert.add_argument("--json", action="store_true")
    convert.set_defaults(func=_convert)
    keys = subparsers.add_parser("keys", help="make Ed25519 keys and the root of trust for devices")
    keys.add_argument("--out", type=Path, required=True, metavar="DIR")
    keys.set_defaults(func=_keys)


def _convert(args: argparse.Namespace) -> int:
    from overtone_converters.build import build_bundle
    from overtone_converters.signing import sign_bundle
    from overtone_converters.verify import verify_bundle

    forms, args.run = asked_forms(args), bundle_path(args.run)
    if args.run.is_file():
        return write_forms(load_bundle(args.run), args) if forms else _sign(args)
    name = args.name or EDGE_NAME
    if args.keys:
        sign_bundle(b"", name=name, version=args.version, keys=args.keys)  # what cannot be signed fails now
    if windows := window_folders(args.run):
        if forms:
            raise TrainingError(
                f"{args.run} holds networks that look at whole windows; {forms[0]} takes a run or its bundle"
            )
        return convert_windows(args, windows)
    if args.out is None:
        raise TrainingError(f"{args.run} is not a window network's folder; a run needs --out FILE")
    folder = RunFolder(args.run)
    model = folder.load_model()
    train, _, test = parts_of_run(folder, args.corpus, args.cache)
    calibration = calibration_utterances(train, cache=args.cache)
    data = build_bundle(model, calibration, golden(), name=name, version=args.version)
    found = verify_bundle(read_bundle(data), *utterances_of(test, model.labels))
    show(found.to_json(), args.json)
    found.require()
    if args.keys:
        data = sign_bundle(data, name=name, version=args.version, keys=args.keys)
    write_atomically(args.out, data, error=TrainingError)
    if not args.json:
        print(f"{args.out}: {len(data)} bytes, {'signed' if args.keys else 'not signed'}")
    return write_forms(load_bundle(args.out), args) if forms else 0


def _sign(args: argparse.Namespace) -> int:
    """Write a finished bundle as a signed file: what a fleet begins with, a pretrained model for example."""
    from overtone_converters.signing import sign_bundle

    if args.keys is None or args.out is None:
        raise TrainingError(f"{args.run} is a bundle already: --keys DIR and --out FILE sign it")
    bundle = load_bundle(args.run)
    name = args.name or bundle.manifest.name
    data = replace(bundle, manifest=replace(bundle.manifest, name=name, version=args.version)).to_bytes()
    write_atomically(args.out, sign_bundle(data, name=name, version=args.version, keys=args.keys), error=TrainingError)
    if not args.json:
        print(f"{args.out}: {args.out.stat().st_size} bytes, signed")
    return 0


def parts_of_run(folder: RunFolder, corpus: Path | None, cache: Path | None) -> tuple[Features, Features, Features]:
    """Return a run's training, inner and test part; `corpus` names the corpus where it has moved."""
    plan, settings = load_plan(folder, corpus)
    model = folder.load_model()
    _, features = read_features(plan, front_end=model.front_end, gate=model.gate, cache=cache)
    return divide(features, plan.chosen, settings)


def show(found: Mapping[str, object], as_json: bool) -> None:
    """Print findings, one a line or as JSON."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(
            f"{name.replace('_', ' '):24} {value:.6g}"
            if isinstance(value, float)
            else f"{name.replace('_', ' '):24} {value}"
        )


def _keys(args: argparse.Namespace) -> int:
    from overtone_converters.signing import make_keys

    root = make_keys(args.out)
    print(f"{root}: give this file to every device; keep root.pem offline and the other keys with the aggregator")
    return 0
