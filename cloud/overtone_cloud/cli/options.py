"""Options that several commands share, and the values that they stand for."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.corpora.registry import corpus_names, read_corpus
from overtone_cloud.corpora.splits import KINDS, Split, make_split
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CloudError, ConfigError
from overtone_cloud.recognition.protocol import LoadedCorpus

KIND, FOLDS, SCRIPT_FOLDS = "speaker", 5, 2
HELD_OUT = "holdout"


class RenamedCommandError(CloudError):
    """An old spelling of a command; the message names the new one."""


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Options that say which utterances train and which test; None or empty where they are absent."""

    kind: str | None
    folds: int | None
    script_folds: int | None
    test_speakers: tuple[str, ...]

    @property
    def present(self) -> list[str]:
        """The options that are on the command line, as they are spelt there."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value not in (None, ())]

    def split(self, utterances: Sequence[Utterance], seed: int) -> Split:
        """Return the split that the options describe; raise ConfigError where they contradict each other."""
        if self.test_speakers and self.kind not in (None, HELD_OUT):
            raise ConfigError(
                f"--test-speakers holds speakers out, --kind {self.kind} chooses them itself: give one of them"
            )
        return make_split(
            utterances,
            HELD_OUT if self.test_speakers else self.kind or KIND,
            folds=FOLDS if self.folds is None else self.folds,
            script_folds=SCRIPT_FOLDS if self.script_folds is None else self.script_folds,
            seed=seed,
            test_speakers=list(self.test_speakers),
        )


def add_split_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `SplitOptions`."""
    parser.add_argument("--kind", choices=tuple(KINDS), help=f"kind of split (default {KIND})")
    parser.add_argument("--folds", type=int, help=f"number of folds (default {FOLDS})")
    parser.add_argument("--script-folds", type=int, help=f"groups of scripts, for speaker-script ({SCRIPT_FOLDS})")
    parser.add_argument("--test-speakers", default="", metavar="A,B", help="hold these speakers out for the test")


def split_options(args: argparse.Namespace) -> SplitOptions:
    """Return the parsed options of `add_split_options`."""
    return SplitOptions(
        kind=args.kind,
        folds=args.folds,
        script_folds=args.script_folds,
        test_speakers=tuple(name.strip() for name in args.test_speakers.split(",") if name.strip()),
    )


def add_corpora_option(parser: argparse.ArgumentParser) -> None:
    """Add `--corpus NAME=PATH`, which is repeated for each corpus; `read_corpora` reads them."""
    names = ", ".join(corpus_names())
    parser.add_argument("--corpus", action="append", required=True, metavar="NAME=PATH", help=f"NAME: {names}")


def add_cache_option(parser: argparse.ArgumentParser) -> None:
    """Add `--cache DIR`."""
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder in which computed features are kept")


def read_corpora(texts: Sequence[str]) -> dict[str, LoadedCorpus]:
    """Return the corpora that are named as NAME=PATH, each once."""
    corpora: dict[str, LoadedCorpus] = {}
    for text in texts:
        name, _ = name_and_value(text, "--corpus", "NAME=PATH")
        if name in corpora:
            raise ConfigError(f"--corpus {text}: {name} is given twice")
        corpora[name] = named_corpus(text, "--corpus")
    return corpora


def named_corpus(text: str, option: str) -> LoadedCorpus:
    """Return the corpus of an option's NAME=PATH."""
    name, path = name_and_value(text, option, "NAME=PATH")
    where = Path(path).expanduser()
    return LoadedCorpus(path=where, reading=read_corpus(where, name))


def name_and_value(text: str, option: str, form: str) -> tuple[str, str]:
    """Return the two sides of NAME=VALUE; raise ConfigError naming the option and its form where one is empty."""
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise ConfigError(f"{option} {text!r} is not of the form {form}")
    return name, value
