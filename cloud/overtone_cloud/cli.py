"""`overtone`: corpora, training, benchmark, pretrained models, published systems, conversion, keys, broker."""

import argparse
import sys
from collections.abc import Sequence

from overtone_cloud import broker_cli, convert_cli, data_cli, train_cli, verify_cli
from overtone_cloud.demo import cli as demo_cli
from overtone_cloud.errors import CloudError
from overtone_cloud.papers import paper_cli
from overtone_cloud.pretraining import pretrain_cli
from overtone_cloud.recognition import evaluate_cli, recognition_cli
from overtone_converters.errors import ConversionError
from overtone_models.errors import ModelError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


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
        paper_cli,
        convert_cli,
        verify_cli,
        broker_cli,
        demo_cli,
    ):
        module.register(subparsers)
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
