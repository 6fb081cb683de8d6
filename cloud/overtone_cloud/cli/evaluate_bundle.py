"""`overtone evaluate BUNDLE --corpus NAME=PATH`: a bundle measured on a labelled corpus as devices hear it."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from overtone_cloud.bundles.sources import bundle_path, load_bundle
from overtone_cloud.cli.options import named_corpus
from overtone_cloud.cli.output import progress_bar, show_skipped, wide_console
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import ConfigError
from overtone_cloud.recognition.bundle_evaluation import NEUTRAL, UNKNOWN_SPEAKER, evaluate_bundle
from overtone_models.bundle import Bundle
from overtone_models.errors import BundleError, PretrainedError
from overtone_models.pretrained import BUNDLE_ENDING, find_pretrained

RUN_ONLY = ("sounds", "speech", "part", "cache")
"""Options of `overtone evaluate RUN` that mean nothing for a bundle."""
BUNDLE_ONLY = ("root", "limit")


@dataclass(frozen=True, kw_only=True)
class BundleOptions:
    """The command line of `overtone evaluate` for a bundle."""

    bundle: Path
    root: Path | None
    corpus: str
    limit: int | None
    as_json: bool


def names_bundle(path: Path) -> bool:
    """Return whether `path` is a file or stands for a pretrained model, as opposed to a run folder.

    Raises ConfigError for a bare name that is nothing at all.
    """
    if path.exists():
        return path.is_file()
    if path.suffix == BUNDLE_ENDING or bundle_path(path) != path:
        return True
    if path.name == str(path):
        try:
            find_pretrained(path.name)
        except PretrainedError as error:
            raise ConfigError(f"{path} is no run folder and no bundle, and {error}") from error
    return False


def bundle_options(args: argparse.Namespace) -> BundleOptions:
    """Return the options for a bundle; raise ConfigError for those of a run, and without one corpus."""
    refuse(args, RUN_ONLY, f"{args.run} is a bundle")
    if len(args.corpus) != 1:
        raise ConfigError(f"--corpus is given {len(args.corpus)} times, a bundle is measured on one labelled corpus")
    if args.limit is not None and args.limit < 1:
        raise ConfigError(f"--limit is {args.limit}, it must be at least 1")
    return BundleOptions(
        bundle=bundle_path(args.run), root=args.root, corpus=args.corpus[0], limit=args.limit, as_json=args.json
    )


def refuse(args: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    """Raise ConfigError where one of the options is given."""
    for name in names:
        if getattr(args, name) is not None:
            raise ConfigError(f"{why}: --{name} has no meaning there")


def run_bundle(options: BundleOptions) -> int:
    """Measure the bundle and print its figures."""
    bundle = _bundle(options.bundle, options.root)
    reading = _reading(options.corpus)
    with progress_bar("listening") as progress:
        evaluation = evaluate_bundle(bundle, reading, limit=options.limit, progress=progress)
    show_skipped(evaluation.skipped, "unreadable")
    facts = evaluation.to_json()
    for line in _remarks(facts):
        print(f"overtone: {line}", file=sys.stderr)
    if options.as_json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
    else:
        _show(facts)
    return 0


def _bundle(path: Path, root: Path | None) -> Bundle:
    """Return the bundle in a file; a file that is none is named."""
    try:
        return load_bundle(path, root)
    except BundleError as error:
        raise error if str(path) in str(error) else BundleError(f"{path}: {error}") from error


def _reading(text: str) -> Reading:
    """Return the corpus of NAME=PATH, or of a PATH alone, which its files' names or its manifest tell."""
    path = Path(text).expanduser()
    return read_corpus(path) if path.exists() or "=" not in text else named_corpus(text, "--corpus").reading


def _remarks(facts: Mapping[str, Any]) -> list[str]:
    """Return what must be known to read the figures."""
    remarks, name = [], facts["bundle"]["name"]
    if facts["bundle"]["trained_on_this_corpus"]:
        remarks.append(f"{name} was trained on {facts['corpus']}: speakers that trained it flatter these figures")
    if left_out := _counted(facts["classes_of_the_corpus_only"]):
        remarks.append(f"not counted, as {name} does not have these classes: {left_out}")
    if others := _counted(facts["answers_of_the_model_only"]):
        remarks.append(f"classes that {facts['corpus']} does not have; answers with them are wrong: {others}")
    if not facts["per_speaker"]:
        remarks.append(f"{facts['corpus']} names no speakers: no figures by speaker")
    return remarks


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {number}" for label, number in counts.items())


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _show(facts: Mapping[str, Any]) -> None:
    console = wide_console()
    name, corpus = facts["bundle"]["name"], facts["corpus"]
    table = Table("figure", title=f"{name} on {corpus}, as a device hears it")
    table.add_column("%", justify="right")
    for key, text in (
        ("uar", 'UAR, "no decision" counted as wrong'),
        ("uar_of_decided", "UAR of what was decided"),
        ("uar_of_likeliest", "UAR of the likeliest class, decided or not"),
        ("chance", f"chance ({len(facts['classes'])} classes)"),
        ("coverage", "decided"),
        ("right_of_decided", "right of what was decided"),
    ):
        table.add_row(text, _percent(facts[key]))
    table.caption = f"{facts['utterances']} recordings, {facts['unheard']} of them without audible speech"
    console.print(table)
    console.print(_parts_table("class", facts["per_class"], ("recall", "recall_of_likeliest")))
    if facts["per_speaker"]:
        console.print(_parts_table("speaker", _speakers_last_unknown(facts["per_speaker"]), ("uar",)))
    console.print(_confusion_table(facts["confusion"]))
    if taken := facts["neutral_taken_for"]:
        total = sum(taken.values())
        words = ", ".join(f"{answer} {100 * n / total:.0f} %" for answer, n in taken.items() if n)
        console.print(f"{NEUTRAL} is taken for: {words}", highlight=False, soft_wrap=True)


def _speakers_last_unknown(parts: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(parts.items(), key=lambda part: (part[0] == UNKNOWN_SPEAKER, part[0])))


def _parts_table(noun: str, parts: Mapping[str, Mapping[str, Any]], figures: tuple[str, ...]) -> Table:
    """Return a table of the figures of each class or speaker."""
    columns = (*figures, "coverage", "right_of_decided")
    table = Table(noun)
    for heading in ("n", *(column.replace("_", " ") for column in columns)):
        table.add_column(heading if heading == "n" else f"{heading} %", justify="right")
    for name, part in parts.items():
        table.add_row(name, str(part["utterances"]), *(_percent(part[column]) for column in columns))
    return table


def _confusion_table(confusion: Mapping[str, Any]) -> Table:
    table = Table("spoken", title="What was decided")
    for column in confusion["columns"]:
        table.add_column(column, justify="right")
    for label, row in confusion["rows"].items():
        table.add_row(label, *(str(count) for count in row))
    return table
