"""`overtone`: corpora, training, benchmark, pretrained models, conversion, signing, broker, demonstration."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from overtone_cloud.cli import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    benchmark,
    broker,
    convert,
    data,
    demo,
    evaluate,
    export,
    pretrain,
    sign,
    train,
    verify,
)
from overtone_cloud.cli.options import RenamedCommandError
from overtone_cloud.errors import CloudError
from overtone_converters.errors import ConversionError
from overtone_models.errors import ModelError

COMMANDS = (data, train, evaluate, benchmark, pretrain, convert, sign, export, verify, broker, demo)
PLUGINS = "overtone.commands"
"""Entry-point group of modules with `register(subparsers)`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every `overtone` command."""
    parser = argparse.ArgumentParser(prog="overtone", description="Emotion in speech on small devices")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.register(subparsers)
    # Packages above this one, the published systems among them, bring commands of their own.
    for plugin in sorted(entry_points(group=PLUGINS), key=lambda point: point.name):
        plugin.load().register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors that a user can mend are one line on stderr."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.func(args))
    except RenamedCommandError as error:
        print(f"overtone: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (CloudError, ConversionError, ModelError) as error:
        print(f"overtone: {error}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("overtone: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
