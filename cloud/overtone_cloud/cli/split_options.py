"""Options that say which utterances train and which test: the same for `data split` and `train`."""

import argparse
from collections.abc import Sequence

from overtone_cloud.corpora.splits import KINDS, Split, make_split
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import ConfigError

KIND, FOLDS, SCRIPT_FOLDS = "speaker", 5, 2
HELD_OUT = "holdout"


def add_split_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; those that are not given are None, or empty."""
    parser.add_argument("--kind", choices=tuple(KINDS), help=f"kind of split (default {KIND})")
    parser.add_argument("--folds", type=int, help=f"number of folds (default {FOLDS})")
    parser.add_argument("--script-folds", type=int, help=f"groups of scripts, for speaker-script ({SCRIPT_FOLDS})")
    parser.add_argument("--test-speakers", default="", metavar="A,B", help="hold these speakers out for the test")


def given_options(args: argparse.Namespace) -> list[str]:
    """Return which of the options are on the command line."""
    return [
        f"--{name.replace('_', '-')}"
        for name in ("kind", "folds", "script_folds", "test_speakers")
        if getattr(args, name) not in (None, "")
    ]


def asked_split(args: argparse.Namespace, utterances: Sequence[Utterance], seed: int) -> Split:
    """Return the split that the options ask for; raise ConfigError where they contradict each other."""
    speakers = [name.strip() for name in args.test_speakers.split(",") if name.strip()]
    if speakers and args.kind not in (None, HELD_OUT):
        raise ConfigError(
            f"--test-speakers holds speakers out, --kind {args.kind} chooses them itself: give one of them"
        )
    return make_split(
        utterances,
        HELD_OUT if speakers else args.kind or KIND,
        folds=FOLDS if args.folds is None else args.folds,
        script_folds=SCRIPT_FOLDS if args.script_folds is None else args.script_folds,
        seed=seed,
        test_speakers=speakers,
    )
