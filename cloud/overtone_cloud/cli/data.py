"""`overtone data`: list, check, show, split and fetch corpora; fetch speech encoders."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from overtone_cloud.cli.options import add_split_options, split_options
from overtone_cloud.cli.output import progress_bar
from overtone_cloud.corpora import CORPORA, Problem, Reading, corpus_names, read_corpus
from overtone_cloud.corpora.check import check, measure
from overtone_cloud.corpora.fetch import archive_of, fetch
from overtone_cloud.corpora.statistics import Statistics, statistics
from overtone_cloud.errors import DownloadError
from overtone_cloud.features.published_encoders import ENCODERS, PublishedEncoder, fetch_encoder

MAX_NAMES = 5
NOT_STATED = "-"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `data list|check|stats|plot|split|fetch` to the command line."""
    parser = subparsers.add_parser("data", help="corpora: list, check, stats, plot, split, fetch")
    commands = parser.add_subparsers(dest="data_command", required=True)
    commands.add_parser("list", help="known corpora and their licences").set_defaults(func=_list)
    for name, text, run in (
        ("check", "decode every utterance and list what is missing, duplicated or unreadable", _check),
        ("stats", "tables of classes, speakers and durations", _stats),
    ):
        command = _with_path(commands.add_parser(name, help=text))
        command.add_argument("--json", action="store_true", help="print JSON instead of tables")
        command.set_defaults(func=run)
    plots = _with_path(commands.add_parser("plot", help="waveform and spectrogram per emotion as PNG"))
    plots.add_argument("--out", type=Path, required=True, metavar="DIR")
    plots.set_defaults(func=_plot)
    _register_split(_with_path(commands.add_parser("split", help="make folds and write them to a file")))
    _register_fetch(
        commands.add_parser("fetch", help="download a corpus or a speech encoder from its official address")
    )


def _with_path(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("path", type=Path, metavar="PATH", help="a corpus' folder or a CSV manifest")
    parser.add_argument("--corpus", choices=corpus_names(), help="which corpus it is (default: by its file names)")
    return parser


def _register_split(parser: argparse.ArgumentParser) -> None:
    add_split_options(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.set_defaults(func=_split)


def _register_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=(*CORPORA, *ENCODERS))
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--accept-licence", action="store_true", help="accept the licence without being asked")
    parser.add_argument(
        "--url", help="a mirror's address (an encoder's: of its folder); size and checksum stay the official ones"
    )
    parser.set_defaults(func=_fetch)


def _list(args: argparse.Namespace) -> int:
    table = Table("name", "language", "utterances", "speakers", "how to get it", title="Corpora")
    for name, corpus in CORPORA.items():
        official = corpus.official
        how = f"overtone data fetch {name} --to DIR" if corpus.archive else "see below"
        utterances, speakers = (str(number or NOT_STATED) for number in (official.utterances, len(official.speakers)))
        table.add_row(name, corpus.language, utterances, speakers, how)
    console = _console()
    console.print(table)
    for name, corpus in CORPORA.items():
        how = f"; {corpus.instructions}" if corpus.instructions else ""
        console.print(f"{name}: {corpus.licence}; {corpus.page}{how}", highlight=False, soft_wrap=True)
    for encoder in ENCODERS.values():
        how = f"overtone data fetch {encoder.name} --to DIR ({encoder.size_bytes / 1e6:.0f} MB)"
        console.print(
            f"{encoder.name} (speech encoder): {encoder.licence}; {encoder.page}; {how}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        "Any other recordings: a folder per label (folders), or a CSV with path and label (manifest).",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _check(args: argparse.Namespace) -> int:
    """Return 1 when something is unreadable or wrongly named."""
    reading = read_corpus(args.path, args.corpus)
    with progress_bar("decoding") as progress:
        checked = check(reading, progress)
    problems = checked.reading.problems
    if args.json:
        _write_json(_summary(checked.reading) | {"problems": [asdict(p) for p in problems]})
    else:
        _print_reading(checked.reading)
        _print_problems(problems)
        if not problems:
            _console().print("Nothing is missing, duplicated or unreadable.")
    return 1 if any(p.kind in ("unreadable", "name") for p in problems) else 0


def _stats(args: argparse.Namespace) -> int:
    with progress_bar("headers") as progress:
        checked = measure(read_corpus(args.path, args.corpus), progress)
    numbers = statistics(checked)
    if args.json:
        _write_json(asdict(numbers))
        return 0
    _print_reading(checked.reading)
    _print_statistics(numbers)
    _print_problems(tuple(p for p in checked.reading.problems if p.kind != "missing"))
    return 0


def _plot(args: argparse.Namespace) -> int:
    from overtone_cloud.corpora.plots import plot

    with progress_bar("headers") as progress:
        checked = measure(read_corpus(args.path, args.corpus), progress)
    for path in plot(checked, args.out):
        sys.stdout.write(f"{path}\n")
    return 0


def _split(args: argparse.Namespace) -> int:
    reading = read_corpus(args.path, args.corpus)
    split = split_options(args).split(reading.utterances, args.seed)
    split.save(args.out)
    table = Table("fold", "train", "test", "test speakers")
    speakers = {u.id: u.speaker or "unknown" for u in reading.utterances}
    for fold in split.folds:
        tested = sorted({speakers[i] for i in fold.test})
        who = ", ".join(tested) if len(tested) <= 12 else f"{len(tested)} speakers"
        table.add_row(fold.name, str(len(fold.train)), str(len(fold.test)), who)
    _console().print(table)
    sys.stdout.write(f"{split.describe()}\n{args.out}\n")
    return 0


def _fetch(args: argparse.Namespace) -> int:
    if args.name in ENCODERS:
        return _fetch_encoder(args, ENCODERS[args.name])
    corpus, archive = CORPORA[args.name], archive_of(args.name)
    if args.url:
        archive = replace(archive, url=args.url)
    _require_acceptance(args, corpus.title, corpus.page, corpus.licence)
    if archive.checksum is None:
        _console(sys.stderr).print(
            "Its publisher gives no checksum: only the archive's own is checked.", highlight=False
        )
    with _download_progress() as progress:
        fetch(archive, args.to / corpus.name, progress=progress)
    sys.stdout.write(f"{args.to / corpus.name}\n")
    return 0


def _fetch_encoder(args: argparse.Namespace, encoder: PublishedEncoder) -> int:
    _require_acceptance(args, encoder.title, encoder.page, encoder.licence)
    with _download_progress() as progress:
        fetch_encoder(encoder, args.to / encoder.name, address=args.url, progress=progress)
    sys.stdout.write(f"{args.to / encoder.name}\n")
    return 0


def _require_acceptance(args: argparse.Namespace, title: str, page: str, licence: str) -> None:
    """Show a licence; raise DownloadError unless it is accepted."""
    _console(sys.stderr).print(f"{title}: {page}\nLicence: {licence}", highlight=False)
    if not args.accept_licence and not _accepted():
        raise DownloadError(f"{title}: licence not accepted, nothing downloaded (--accept-licence accepts it)")


def _accepted() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Do you accept this licence? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _console(file: TextIO | None = None) -> Console:
    return Console(file=file)


@contextmanager
def _download_progress() -> Iterator[Callable[[int, int | None], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(sys.stderr), transient=True) as progress:
        task = progress.add_task("downloading", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _summary(reading: Reading) -> dict[str, object]:
    return {
        "corpus": reading.corpus,
        "path": str(reading.root),
        "utterances": len(reading.utterances),
        "labelled": len(reading.labelled),
        "speakers": list(reading.speakers),
        "digest": reading.digest,
    }


def _write_json(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _print_reading(reading: Reading) -> None:
    title = CORPORA[reading.corpus].title if reading.corpus in CORPORA else reading.corpus
    _console().print(
        f"{title}: {len(reading.utterances)} utterances, {len(reading.labelled)} with a label, "
        f"{len(reading.speakers)} speakers in {reading.root}",
        highlight=False,
        soft_wrap=True,
    )


def _print_problems(problems: tuple[Problem, ...]) -> None:
    console = _console()
    for problem in problems:
        console.print(f"{problem.kind}: {problem.text}", highlight=False, markup=False, soft_wrap=True)
        if problem.kind in ("name", "label", "duplicate") and problem.text.find(problem.names[0]) < 0:
            shown = ", ".join(problem.names[:MAX_NAMES])
            more = f", and {len(problem.names) - MAX_NAMES} more" if len(problem.names) > MAX_NAMES else ""
            console.print(f"    {shown}{more}", highlight=False, markup=False, soft_wrap=True)


def _print_statistics(numbers: Statistics) -> None:
    rows_of = {"label": numbers.by_label, "speaker": numbers.by_speaker}
    for noun, rows in rows_of.items():
        table = _table(f"{numbers.corpus}, by {noun}", noun, "n", "minutes", "shortest s", "median s", "longest s")
        for row in (*rows, numbers.total):
            durations = (row.total_s / 60, row.shortest_s, row.median_s, row.longest_s)
            cells = (row.name, str(row.utterances), *(f"{value:.1f}" for value in durations))
            table.add_row(*cells, end_section=row is rows[-1])
        _console().print(table)
    table = _table(f"{numbers.corpus}, labels by speaker", "speaker", *numbers.labels)
    for row in (*numbers.by_speaker, numbers.total):
        counts = (str(row.labels[label]) for label in numbers.labels)
        table.add_row(row.name, *counts, end_section=row is numbers.by_speaker[-1])
    _console().print(table)


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(first, title=title)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
