"""`overtone sign` and `overtone keys`: bundles and the keys that a fleet trusts."""

import argparse
import json
from pathlib import Path

from overtone_cloud.bundles.conversion import BundleIdentity, sign_for_fleet
from overtone_cloud.bundles.sources import bundle_path, load_bundle


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sign` and `keys` to the command line."""
    text = "sign a bundle for a fleet, under a new version: a pretrained model, or a release whose signature ends"
    sign = subparsers.add_parser("sign", help="sign a bundle for a fleet, under a new version", description=text)
    sign.add_argument("bundle", type=Path, metavar="BUNDLE", help="a file, signed or not, or a pretrained model's name")
    sign.add_argument("--keys", type=Path, required=True, metavar="DIR", help="keys made by `overtone keys`")
    sign.add_argument("--out", type=Path, required=True, metavar="FILE")
    sign.add_argument("--version", type=int, default=1, help="must grow with every release (default 1)")
    sign.add_argument("--name", help="the model's name in the new bundle (default: its present one)")
    sign.add_argument("--json", action="store_true")
    sign.set_defaults(func=_sign)
    keys = subparsers.add_parser("keys", help="make Ed25519 keys and the root of trust for devices")
    keys.add_argument("--out", type=Path, required=True, metavar="DIR")
    keys.set_defaults(func=_keys)


def _sign(args: argparse.Namespace) -> int:
    bundle = load_bundle(bundle_path(args.bundle))
    identity = BundleIdentity(name=args.name or bundle.manifest.name, version=args.version, keys=args.keys)
    size = sign_for_fleet(bundle, args.out, identity)
    if args.json:
        result = {"file": str(args.out), "bytes": size, "name": identity.name, "version": identity.version}
        print(json.dumps(result, indent=1))
    else:
        print(f"{args.out}: {size} bytes, signed")
    return 0


def _keys(args: argparse.Namespace) -> int:
    from overtone_converters.signing import make_keys

    root = make_keys(args.out)
    print(f"{root}: give this file to every device; keep root.pem offline and the other keys with the aggregator")
    return 0
