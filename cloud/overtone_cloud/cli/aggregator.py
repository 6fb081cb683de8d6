"""`overtone-aggregator`: `run` starts the aggregator, `status` prints its state."""

import argparse
import json
import logging
import signal
import sys
from pathlib import Path

from overtone_cloud.aggregator.aggregator import Aggregator
from overtone_cloud.aggregator.config import AggregatorConfig, load_config
from overtone_cloud.aggregator.errors import LinkError
from overtone_cloud.aggregator.gatekeeper import Gatekeeper
from overtone_cloud.aggregator.state import Store
from overtone_cloud.aggregator.status import as_text, status
from overtone_cloud.cli import EXIT_FAILED
from overtone_cloud.errors import CloudError
from overtone_common.mqtt import MqttLink


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(prog="overtone-aggregator", description="Rounds of federated learning over MQTT.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="open rounds, collect updates, publish models")
    run.add_argument("--config", type=Path, required=True)
    run.add_argument("--rounds", type=int, help="end after so many rounds (default: run until stopped)")
    run.add_argument("--json", action="store_true", help="print the state as JSON at the end")
    run.add_argument("--verbose", action="store_true")
    run.set_defaults(func=_run)
    show = commands.add_parser("status", help="show devices, rounds, updates and releases")
    show.add_argument("--config", type=Path, required=True)
    show.add_argument("--json", action="store_true")
    show.set_defaults(func=_status)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.func(args)
    except (CloudError, OSError) as error:
        print(f"overtone-aggregator: {error}", file=sys.stderr)
        return EXIT_FAILED
    return code


def _run(args: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    config = load_config(args.config)
    store = Store(config.aggregator.database_url).create()
    aggregator = _assemble(config, store)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: aggregator.stop())
    aggregator.run(rounds=args.rounds)
    if args.json:
        _show(store, as_json=True)
    store.close()
    return 0


def _assemble(config: AggregatorConfig, store: Store) -> Aggregator:
    from overtone_cloud.aggregator.publisher import release_parts  # imports TensorFlow

    evaluator, publisher, initial = release_parts(config)
    gatekeeper = Gatekeeper(evaluator, publisher, margin=config.evaluation.margin, server=config.server)
    link = MqttLink(
        config.mqtt,
        client_id=store.client_id(),
        max_message_bytes=config.limits.max_message_bytes,
        error=LinkError,
    )
    return Aggregator(config, store=store, link=link, gatekeeper=gatekeeper, initial=initial)


def _status(args: argparse.Namespace) -> int:
    store = Store(load_config(args.config).aggregator.database_url).must_exist()
    _show(store, as_json=args.json)
    store.close()
    return 0


def _show(store: Store, *, as_json: bool) -> None:
    with store.begin() as session:
        report = status(session)
    print(json.dumps(report, indent=2) if as_json else as_text(report))
