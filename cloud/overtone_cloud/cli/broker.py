"""`overtone broker`: the files that Mosquitto and its clients need."""

import argparse
import shlex
import sys
from pathlib import Path

from overtone_cloud.broker.configuration import BrokerSettings, add_device, configure
from overtone_cloud.broker.mosquitto import OWN_USER, default_user, installed
from overtone_cloud.errors import BrokerError


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `broker config` and `broker add-device` to the command line."""
    parser = subparsers.add_parser("broker", help="configure the MQTT broker (Mosquitto)")
    commands = parser.add_subparsers(dest="broker_command", required=True)
    config = commands.add_parser("config", help="write configuration, access rules and certificates")
    config.add_argument("--out", type=Path, required=True, help="folder to write to")
    config.add_argument("--host", required=True, help="name or address by which devices reach the broker")
    config.add_argument("--port", type=int, default=8883)
    config.add_argument("--bind", default="", help="address to listen on (default: every interface)")
    config.add_argument("--user", help=f"system user that Mosquitto runs as when started by root (default {OWN_USER})")
    config.add_argument("--fleet", required=True)
    config.add_argument(
        "--device",
        action="extend",
        nargs="+",
        default=[],
        metavar="ID",
        help="id of a device that gets a certificate; repeatable",
    )
    config.set_defaults(func=_run_config)
    add = commands.add_parser("add-device", help="issue a certificate for one more device")
    add.add_argument("--dir", type=Path, required=True, help="folder that `broker config` wrote")
    add.add_argument("device", metavar="ID")
    add.set_defaults(func=_run_add_device)


def _run_config(args: argparse.Namespace) -> int:
    user = default_user() if args.user is None else args.user
    settings = BrokerSettings(host=args.host, fleet=args.fleet, port=args.port, bind=args.bind, user=user)
    try:
        path = configure(args.out, settings, args.device)
    except OSError as error:
        raise BrokerError(f"{error.filename or args.out}: {error.strerror or error}") from error
    start = shlex.join([installed() or "mosquitto", "-c", str(path)])
    sys.stdout.write(f"{path}\nstart it with: {start}\nclients' files: {path.parent / 'clients'}\n")
    return 0


def _run_add_device(args: argparse.Namespace) -> int:
    try:
        folder = add_device(args.dir, args.device)
    except OSError as error:
        raise BrokerError(f"{error.filename or args.dir}: {error.strerror or error}") from error
    sys.stdout.write(f"{folder}\n")
    return 0
