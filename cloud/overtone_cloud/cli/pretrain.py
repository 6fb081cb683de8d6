"""`overtone pretrain`: one model of all corpora and speakers, with its card, in one command that can be repeated."""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from overtone_cloud.cli import EXIT_INTERRUPTED
from overtone_cloud.cli.options import add_cache_option, add_corpora_option, read_corpora
from overtone_cloud.cli.output import timed_lines
from overtone_cloud.conditions.read_speech import read_speech
from overtone_cloud.conditions.sounds import sound_halves
from overtone_cloud.pretraining.benchmark_figures import read_figures
from overtone_cloud.pretraining.card_data import Release, check_release
from overtone_cloud.pretraining.joint_corpus import COMMON, EVERY, classes_to_train
from overtone_cloud.pretraining.model_folder import write_pretrained
from overtone_cloud.pretraining.training import PretrainingRequest, train_all
from overtone_cloud.training.run_folder import progress_lines
from overtone_cloud.training.settings import read_settings
from overtone_models.labels import ordered

REPORTS = 20


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pretrain` to the command line."""
    text = "train one model on all speakers of all corpora, convert it and write its card"
    parser = subparsers.add_parser("pretrain", help=text, description=text)
    add_corpora_option(parser)
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="everyday sounds (ESC-10): noise, and no emotion")
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="read speech (LibriSpeech), for settings with neutral_speech"
    )
    parser.add_argument(
        "--classes",
        default=COMMON,
        metavar=f"{COMMON}|{EVERY}|A,B",
        help="those that every corpus has (the default), those that any has, or these: each corpus gives what it has",
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="training settings, TOML or JSON")
    parser.add_argument("--name", required=True, help="what the model is called, such as small or medium")
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="recognition.json of the same settings and corpora"
    )
    parser.add_argument("--out", type=Path, default=Path("models/pretrained"), metavar="DIR", help="gets DIR/NAME")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder of the training (default runs/pretrain/NAME)")
    parser.add_argument("--version", type=int, default=1, help="of the bundle (default 1)")
    add_cache_option(parser)
    parser.add_argument("--json", action="store_true", help="print the findings of the checks as JSON")
    parser.set_defaults(func=_run)


@dataclass(frozen=True, kw_only=True)
class PretrainOptions:
    """The command line of `overtone pretrain`."""

    request: PretrainingRequest
    release: Release
    out: Path
    as_json: bool


def _run(args: argparse.Namespace) -> int:
    check_release(args.name, args.version)
    readings = {name: corpus.reading for name, corpus in read_corpora(args.corpus).items()}
    settings = read_settings(args.settings)
    labels = classes_to_train(readings, args.classes)
    figures = None if args.figures is None else read_figures(args.figures, settings, labels, list(readings))
    release = Release(
        name=args.name,
        version=args.version,
        settings=settings,
        readings=readings,
        classes=args.classes,
        sounds=None if args.sounds is None else sound_halves(args.sounds),
        speech=None if args.speech is None else read_speech(args.speech),
        figures=figures,
    )
    request = PretrainingRequest(
        readings=readings,
        labels=labels,
        settings=settings,
        work=args.work or Path("runs", "pretrain", args.name),
        sounds=args.sounds,
        speech=args.speech,
        cache=args.cache,
    )
    return pretrain(PretrainOptions(request=request, release=release, out=args.out, as_json=args.json))


def pretrain(options: PretrainOptions) -> int:
    """Train, convert, check and write the model; an interrupted training resumes with the same command."""
    request, release = options.request, options.release
    say = timed_lines()
    if left_out := _left_out(request):
        say(f"left out: {', '.join(left_out)} (--classes takes classes that not every corpus has)")
    try:
        result = train_all(request, report=progress_lines(say, request.settings.epochs, REPORTS))
    except KeyboardInterrupt:
        sys.stderr.write(
            f"overtone: interrupted; the training is kept in {request.work}; the same command resumes there\n"
        )
        return EXIT_INTERRUPTED
    say("conversion and its checks")
    model, verification = write_pretrained(result, release, options.out, cache=request.cache)
    if options.as_json:
        print(json.dumps({"folder": str(model.folder), **verification.to_json()}, indent=1))
    else:
        print(f"{model.bundle}: {model.bundle.stat().st_size} bytes; {', '.join(result.model.labels)}")
        print(f"{model.card}{'' if release.figures else ' (no figures yet: --figures recognition.json adds them)'}")
    return 0


def _left_out(request: PretrainingRequest) -> tuple[str, ...]:
    """Return the classes of the corpora that are not trained."""
    every = {str(u.label) for reading in request.readings.values() for u in reading.labelled}
    return ordered(every - set(request.labels))
