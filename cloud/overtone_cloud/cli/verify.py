"""`overtone verify`: a bundle on the device's runtime, with the speakers of a run, of its split, or without any."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from overtone_cloud.bundles.sources import bundle_path, load_bundle, utterances_of
from overtone_cloud.bundles.windows import verify_windows
from overtone_cloud.cli.convert import parts_of_run, show
from overtone_cloud.errors import ConfigError
from overtone_cloud.training.run_folder import RunFolder
from overtone_models.bundle import Bundle
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.pretrained import SPLIT
from overtone_models.window_spec import WindowSpec


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `verify` to the command line."""
    text = (
        "check a bundle on the device's runtime: with a run's test speakers (--run), with the inner speakers of a "
        "pretrained model's split (--corpus NAME=PATH), or with made voices alone"
    )
    verify = subparsers.add_parser("verify", help="check a bundle on the device's runtime", description=text)
    verify.add_argument("bundle", type=Path, metavar="BUNDLE", help="a file, or a pretrained model's name")
    verify.add_argument("--run", type=Path, metavar="RUN", help="the run whose test part is used")
    verify.add_argument("--root", type=Path, metavar="FILE", help="root.json: also check the signature")
    verify.add_argument("--split", type=Path, metavar="FILE", help=f"of --corpus (default: {SPLIT} beside the bundle)")
    verify.add_argument(
        "--corpus",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="with --run: where its corpus is, if it has moved; without: every corpus of the split, as NAME=PATH",
    )
    verify.add_argument("--cache", type=Path, metavar="DIR", help="where features are kept")
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(func=_verify)


def _verify(args: argparse.Namespace) -> int:
    path = bundle_path(args.bundle)
    bundle = load_bundle(path, args.root)
    return VERIFIERS[bundle.manifest.network.family](args, bundle, path)


def _verify_window(args: argparse.Namespace, bundle: Bundle, path: Path) -> int:
    if args.run is None:
        raise ConfigError(f"{path} holds a window network; give the folder it was made of with --run")
    return verify_windows(args, bundle)


def _verify_streaming(args: argparse.Namespace, bundle: Bundle, path: Path) -> int:
    if args.run is not None:
        return _with_run(args, bundle)
    return _with_split(args, bundle, path) if args.corpus else _alone(args, bundle, path)


def _with_run(args: argparse.Namespace, bundle: Bundle) -> int:
    from overtone_converters.verify import verify_bundle

    if len(args.corpus) > 1:
        raise ConfigError(f"--corpus is given {len(args.corpus)} times, a run has one corpus")
    corpus = Path(args.corpus[0]) if args.corpus else None
    _, _, test = parts_of_run(RunFolder(args.run), corpus, args.cache)
    found = verify_bundle(bundle, *utterances_of(test, bundle.manifest.labels))
    show(found.to_json(), args.json)
    found.require()
    return 0


def _with_split(args: argparse.Namespace, bundle: Bundle, path: Path) -> int:
    from overtone_cloud.cli.benchmark import read_corpora
    from overtone_cloud.pretraining.checking import check_with_recordings, refuse_other_card

    refuse_other_card(path)
    readings = {name: given.reading for name, given in read_corpora(args.corpus).items()}
    found = check_with_recordings(bundle, readings, args.split or path.parent / SPLIT, args.cache)
    # These speakers chose when to stop: what is right of theirs is no measure of the model.
    show({name: value for name, value in found.to_json().items() if not name.startswith("uar_")}, args.json)
    found.require()
    return 0


def _alone(args: argparse.Namespace, bundle: Bundle, path: Path) -> int:
    from overtone_cloud.pretraining.checking import check_alone, refuse_other_card

    refuse_other_card(path)
    found = check_alone(bundle)
    show(found.to_json(), args.json)
    found.require()
    return 0


VERIFIERS: Mapping[str, Callable[[argparse.Namespace, Bundle, Path], int]] = {
    EdgeTcnSpec.family: _verify_streaming,
    WindowSpec.family: _verify_window,
}
"""How the bundles of each family of networks are checked."""
