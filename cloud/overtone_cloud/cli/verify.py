"""`overtone verify`: a bundle on the device's runtime, with the speakers of a run, of its split, or without any."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.bundles.conversion import verify_with_run
from overtone_cloud.bundles.sources import bundle_path, load_bundle
from overtone_cloud.bundles.windows import verify_with_folder
from overtone_cloud.cli.options import add_cache_option, read_corpora
from overtone_cloud.cli.output import show_findings
from overtone_cloud.errors import ConfigError
from overtone_models.bundle import Bundle
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.pretrained import SPLIT
from overtone_models.window_spec import WindowSpec


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """The command line of `overtone verify`."""

    path: Path
    run: Path | None
    split: Path | None
    corpora: tuple[str, ...]
    cache: Path | None
    as_json: bool


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `verify` to the command line."""
    text = (
        "check a bundle on the device's runtime: with a run's test speakers (--run), with the inner speakers of a "
        "pretrained model's split (--corpus NAME=PATH), or with synthesised voices alone"
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
        help="with --run: the folder of its corpus, if it has moved; without: every corpus of the split, as NAME=PATH",
    )
    add_cache_option(verify)
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    path = bundle_path(args.bundle)
    bundle = load_bundle(path, args.root)
    options = VerifyOptions(
        path=path,
        run=args.run,
        split=args.split,
        corpora=tuple(args.corpus),
        cache=args.cache,
        as_json=args.json,
    )
    VERIFIERS[bundle.manifest.network.family](options, bundle)
    return 0


def _verify_window(options: VerifyOptions, bundle: Bundle) -> None:
    from overtone_converters.window_verify import require_window

    if options.run is None:
        raise ConfigError(f"{options.path} holds a window network; name the folder of that network with --run")
    verification = verify_with_folder(bundle, options.run)
    show_findings(verification.to_json(), as_json=options.as_json)
    require_window(verification)


def _verify_streaming(options: VerifyOptions, bundle: Bundle) -> None:
    if options.run is not None:
        _verify_with_run(options, bundle, options.run)
    elif options.corpora:
        _verify_with_split(options, bundle)
    else:
        _verify_alone(options, bundle)


def _verify_with_run(options: VerifyOptions, bundle: Bundle, run: Path) -> None:
    if len(options.corpora) > 1:
        raise ConfigError(f"--corpus is given {len(options.corpora)} times, a run has one corpus")
    corpus = Path(options.corpora[0]) if options.corpora else None
    verification = verify_with_run(bundle, run, corpus=corpus, cache=options.cache)
    show_findings(verification.to_json(), as_json=options.as_json)
    verification.require()


def _verify_with_split(options: VerifyOptions, bundle: Bundle) -> None:
    from overtone_cloud.pretraining.bundle_checks import check_with_recordings, refuse_other_card

    refuse_other_card(options.path)
    readings = {name: corpus.reading for name, corpus in read_corpora(options.corpora).items()}
    split = options.split or options.path.parent / SPLIT
    verification = check_with_recordings(bundle, readings, split, options.cache)
    # The inner speakers chose when training stopped: their UAR is no measure of the model.
    findings = {name: value for name, value in verification.to_json().items() if not name.startswith("uar_")}
    show_findings(findings, as_json=options.as_json)
    verification.require()


def _verify_alone(options: VerifyOptions, bundle: Bundle) -> None:
    from overtone_cloud.pretraining.bundle_checks import check_alone, refuse_other_card

    refuse_other_card(options.path)
    check = check_alone(bundle)
    show_findings(check.to_json(), as_json=options.as_json)
    check.require()


VERIFIERS: Mapping[str, Callable[[VerifyOptions, Bundle], None]] = {
    EdgeTcnSpec.family: _verify_streaming,
    WindowSpec.family: _verify_window,
}
"""How the bundles of each family of networks are verified."""
