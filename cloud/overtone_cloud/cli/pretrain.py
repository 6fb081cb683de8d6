"""`overtone pretrain`: one model of all corpora and speakers, with its card, in one command that can be repeated."""

import argparse
import json
import sys
from pathlib import Path

from overtone_cloud.cli.benchmark import read_corpora, read_settings
from overtone_cloud.cli.options import timed_lines
from overtone_cloud.conditions.read_speech import read_speech
from overtone_cloud.conditions.sounds import sound_halves
from overtone_cloud.corpora.registry import corpus_names
from overtone_cloud.errors import ConfigError
from overtone_cloud.training import progress
from overtone_converters.signing import NAME
from overtone_models.labels import ordered

EXIT_INTERRUPTED = 130
REPORTS = 20


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pretrain` to the command line."""
    text = "train one model on all speakers of all corpora, convert it and write its card"
    parser = subparsers.add_parser("pretrain", help=text, description=text)
    parser.add_argument(
        "--corpus", action="append", required=True, metavar="NAME=PATH", help=f"NAME: {', '.join(corpus_names())}"
    )
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (ESC-10): noise, and no emotion")
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="read speech (LibriSpeech), for settings with neutral_speech"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="training settings, TOML or JSON")
    parser.add_argument("--name", required=True, help="what the model is called, such as small or medium")
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="recognition.json of the same settings and corpora"
    )
    parser.add_argument("--out", type=Path, default=Path("models/pretrained"), metavar="DIR", help="gets DIR/NAME")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keeps the training (default runs/pretrain/NAME)")
    parser.add_argument("--version", type=int, default=1, help="of the bundle (default 1)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where features are kept")
    parser.add_argument("--json", action="store_true", help="print what the checks found as JSON")
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    from overtone_cloud.pretraining.card_data import Release
    from overtone_cloud.pretraining.figures import read_figures
    from overtone_cloud.pretraining.joined import join
    from overtone_cloud.pretraining.training import Order, train_all
    from overtone_cloud.pretraining.writing import write_pretrained

    if not NAME.fullmatch(args.name):
        raise ConfigError(f"--name is {args.name!r}: use at most 64 letters, digits, dots, dashes and underscores")
    if not 1 <= args.version < 2**31:
        raise ConfigError(f"--version is {args.version}, limit is 1..2147483647")
    readings = {name: given.reading for name, given in read_corpora(args.corpus).items()}
    settings = read_settings(args.settings)
    labels = ordered({str(u.label) for u in join(readings).labelled})
    figures = None if args.figures is None else read_figures(args.figures, settings, labels, list(readings))
    sounds = None if args.sounds is None else sound_halves(args.sounds)
    speech = None if args.speech is None else read_speech(args.speech)
    work = args.work or Path("runs", "pretrain", args.name)
    say = timed_lines()
    try:
        order = Order(
            readings=readings, settings=settings, work=work, sounds=args.sounds, speech=args.speech, cache=args.cache
        )
        trained = train_all(order, report=progress.lines(say, settings.epochs, REPORTS))
    except KeyboardInterrupt:
        sys.stderr.write(
            f"overtone: interrupted; the training is kept in {work}, the same command goes on from there\n"
        )
        return EXIT_INTERRUPTED
    say("conversion and its checks")
    release = Release(
        name=args.name,
        version=args.version,
        settings=settings,
        readings=readings,
        sounds=sounds,
        speech=speech,
        figures=figures,
    )
    made, found = write_pretrained(trained, release, args.out, cache=args.cache)
    if args.json:
        print(json.dumps({"folder": str(made.folder), **found.to_json()}, indent=1))
    else:
        print(f"{made.bundle}: {made.bundle.stat().st_size} bytes; {', '.join(trained.model.labels)}")
        print(f"{made.card}{'' if figures else ' (no figures yet: --figures recognition.json adds them)'}")
    return 0
