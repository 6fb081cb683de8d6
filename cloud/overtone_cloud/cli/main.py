"""`overtone`: corpora, training, benchmark, pretrained models, published systems, conversion, keys, broker."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from overtone_cloud.cli import benchmark as recognition_cli
from overtone_cloud.cli import broker as broker_cli
from overtone_cloud.cli import convert as convert_cli
from overtone_cloud.cli import data as data_cli
from overtone_cloud.cli import demo as demo_cli
from overtone_cloud.cli import evaluate as evaluate_cli
from overtone_cloud.cli import pretrain as pretrain_cli
from overtone_cloud.cli import train as train_cli
from overtone_cloud.cli import verify as verify_cli
from overtone_cloud.errors import CloudError
from overtone_converters.errors import ConversionError
from overtone_models.errors import ModelError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
COMMANDS = "overtone.commands"
"""Entry-point group of modules with `register(subparsers)`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every `overtone` command."""
    parser = argparse.ArgumentParser(prog="overtone", description="Emotion in speech on small devices")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for module in (
        data_cli,
        train_cli,
        evaluate_cli,
        recognition_cli,
        pretrain_cli,
        convert_cli,
        verify_cli,
        broker_cli,
        demo_cli,
    ):
        module.register(subparsers)
    # Packages above this one, the published systems among them, bring commands of their own.
    for command in sorted(entry_points(group=COMMANDS), key=lambda point: point.name):
        command.load().register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors that a user can mend are one line on stderr."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.func(args))
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
