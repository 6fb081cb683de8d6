"""`overtone-agent`: run the agent, label speech, train a personal head, install bundles, show and erase its state."""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from overtone_edge import __version__
from overtone_edge.agent import commands
from overtone_edge.agent.status import bundle_status
from overtone_edge.core.config import Config, SourceConfig, default_config, load_config
from overtone_edge.core.errors import AgentError, ControlError, SourceError
from overtone_edge.learning.labelling import Row, checked_label, label_recordings, read_rows
from overtone_edge.state.home import Home
from overtone_models.errors import ModelError
from overtone_protocol import ProtocolError

CONFIG_HELP = "the agent's TOML file (default: microphone, events on standard output, no network)"


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status; every error is one line on standard error."""
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    command: Callable[[argparse.Namespace], int] = arguments.func
    try:
        return command(arguments)
    except (AgentError, ModelError, ProtocolError) as error:
        print(f"overtone-agent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="overtone-agent", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--verbose", action="store_true", help="log more")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, func: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.add_argument("--config", type=Path, help=CONFIG_HELP)
        sub.set_defaults(func=func)
        return sub

    listen = add("run", _run, "listen, learn and take part in rounds until stopped")
    listen.add_argument("--file", type=Path, help="listen to this recording instead, as fast as it can be read")
    label = add("label", _label, "label the last seconds of speech, or recordings")
    label.add_argument("label", nargs="?", help="the emotion, such as happy")
    what = label.add_mutually_exclusive_group(required=True)
    what.add_argument("--last", metavar="5s", help="the last seconds of speech in the running agent")
    what.add_argument("--file", type=Path, help="one recording")
    what.add_argument("--manifest", type=Path, help="a CSV with the columns path and label")
    add("personalise", _personalise, "train a head on this device's examples; used only if it is better").add_argument(
        "--json", action="store_true", help="print the result as JSON"
    )
    evaluate = add("evaluate", _evaluate, "score labelled recordings with the bundle's head and the personal one")
    evaluate.add_argument("--manifest", type=Path, required=True, help="a CSV with the columns path and label")
    evaluate.add_argument("--json", action="store_true", help="print the result as JSON")
    install = add("install", _install, "install a signed bundle from a file, or a pretrained model by its name")
    install.add_argument("bundle", type=Path, help="a file, or the name of a pretrained model such as small")
    add("status", _status, "show what is installed, stored and in progress").add_argument(
        "--json", action="store_true", help="print the state as JSON"
    )
    erase = add("erase", _erase, "remove examples, personal head, reference, waiting updates and event logs")
    erase.add_argument("--reference", action="store_true", help="only what was heard of this room and voice")
    erase.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    devices = subparsers.add_parser("devices", help="list the microphones", description="list the microphones")
    devices.set_defaults(func=_devices)
    return parser


def _config(arguments: argparse.Namespace) -> Config:
    return default_config() if arguments.config is None else load_config(arguments.config)


def _home(arguments: argparse.Namespace) -> Home:
    return Home(_config(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from overtone_edge.agent.agent import Agent

    config = _config(arguments)
    if arguments.file is not None:
        source = SourceConfig(kind="file", path=arguments.file, paced=False)
        config = replace(config, source=source, output=replace(config.output, stdout=True))
    agent = Agent(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: agent.stop())
    return agent.run()


def _label(arguments: argparse.Namespace) -> int:
    home = _home(arguments)
    if arguments.last is not None:
        count = commands.label_last(home, _label_argument(arguments), arguments.last)
        print(f"stored {count} utterance(s)")
        return 0
    labels = commands.labels_in_use(home)
    if arguments.manifest is not None:
        rows = read_rows(arguments.manifest, labels)
    else:
        rows = [Row(arguments.file, checked_label(_label_argument(arguments), labels))]
    outcome = label_recordings(home, rows, progress=_progress(len(rows)))
    for line in outcome.silent + outcome.failed:
        print(f"overtone-agent: skipped: {line}", file=sys.stderr)
    print(f"stored {outcome.stored} of {len(rows)} recording(s)")
    commands.refresh(home)
    return 0 if outcome.stored and not outcome.failed else 1


def _label_argument(arguments: argparse.Namespace) -> str:
    if arguments.label is None:
        raise ControlError("the label is missing, for example: overtone-agent label happy --last 5s")
    return str(arguments.label)


def _progress(total: int) -> Callable[[int], None]:
    if total < 20 or not sys.stderr.isatty():
        return lambda _done: None
    return lambda done: print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _personalise(arguments: argparse.Namespace) -> int:
    result = commands.personalise(_home(arguments))
    if arguments.json:
        print(json.dumps(result))
        return 0
    verdict = "kept" if result["kept"] else "not kept, the bundle's head stays in use: no significant improvement"
    print(
        f"{verdict}; UAR {result['uar_before']:.3f} -> {result['uar_after']:.3f}, "
        f"loss {result['loss_before']:.3f} -> {result['loss_after']:.3f}, must fall by {result['loss_margin']:.3f}; "
        f"on {result['judged']} of {result['examples']} examples, each judged by a head that did not learn from it"
    )
    if not result["kept"] and result["unlabelled"]:
        unlabelled = ", ".join(result["unlabelled"])
        print(f"no labelled utterance of {unlabelled}: the fewer emotions are labelled, the larger the margin")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from overtone_edge.learning.evaluation import evaluate

    home = _home(arguments)
    rows = read_rows(arguments.manifest, commands.labels_in_use(home))
    result = evaluate(home, rows, progress=_progress(len(rows)))
    if arguments.json:
        print(json.dumps(result))
        return 0
    print(f"{result['recordings']} recordings, {result['skipped']} skipped, bundle version {result['bundle_version']}")
    print(f"UAR {100 * result['uar']:.1f} %, accuracy {100 * result['accuracy']:.1f} % with the bundle's head")
    if result["uar_personal"] is not None:
        uar, accuracy = 100 * result["uar_personal"], 100 * result["accuracy_personal"]
        print(f"UAR {uar:.1f} %, accuracy {accuracy:.1f} % with the personal head")
    return 0


def _install(arguments: argparse.Namespace) -> int:
    home = _home(arguments)
    commands.install(home, arguments.bundle)
    bundle = bundle_status(Home(home.config)) or {}
    print(f"installed {bundle['name']} version {bundle['version']}")
    if (quality := bundle["quality"]) is not None:
        print(
            f"UAR {quality['uar']:.3f}, loss {quality['loss']:.3f} on {quality['held_out']} labelled utterance(s) of "
            "this device that are held out of training"
        )
    return 0


def _status(arguments: argparse.Namespace) -> int:
    values = commands.status(_home(arguments))
    if arguments.json:
        print(json.dumps(values))
        return 0
    for key, value in values.items():
        print(f"{key:18} {_value_text(value)}")
    return 0


def _value_text(value: Any) -> str:
    if value is None:
        return "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value_text(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _erase(arguments: argparse.Namespace) -> int:
    home = _home(arguments)
    if arguments.reference:
        commands.erase_reference(home)
        print("the reference is erased; it begins anew with the next utterance")
        return 0
    if not arguments.yes:
        question = f"Erase all examples, the personal head, waiting updates and logs of {home.config.device.id}? [y/N] "
        if _answer(question) not in ("y", "yes"):
            print("nothing was erased")
            return 1
    commands.erase(home)
    print("erased")
    return 0


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()
    except EOFError:
        raise ControlError("no confirmation was entered, nothing is erased; --yes skips the question") from None


def _devices(_arguments: argparse.Namespace) -> int:
    from overtone_edge.hearing.microphone import list_devices

    devices = list_devices()
    if not devices:
        raise SourceError("no microphone found (see `arecord -l`; the user needs the group audio)")
    for device in devices:
        print(f"{device.index:3} {device.name} ({device.channels} channels, {device.rate_hz} Hz)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
