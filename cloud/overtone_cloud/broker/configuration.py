"""The broker of a fleet: Mosquitto's configuration, its access list and the clients' certificates.

Every client proves who it is by a certificate whose common name is its user name; the access list
lets a device publish and read its own topics only. MQTT client identifiers are free (a home may
read a device's emotions with the device's certificate beside the agent), so long-lived clients must
use identifiers that others cannot guess: whoever connects with the same one takes over the session.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509

from overtone_cloud.broker import certificates
from overtone_cloud.broker.certificates import Identity, write_new, write_over
from overtone_cloud.errors import BrokerError
from overtone_protocol import AGGREGATOR, DEFAULT_LIMITS, MessageError
from overtone_protocol.topics import check_device, check_name

MAX_MESSAGE_BYTES = DEFAULT_LIMITS.max_message_bytes
PACKET_ENVELOPE_BYTES = 1024
"""Allowance for the topic and the MQTT header, added to the payload."""

CONFIGURATION = """\
# Written by `overtone broker config`; it is written again when that command runs again.
listener {listener}
cafile {directory}/ca.crt
certfile {directory}/server.crt
keyfile {directory}/server.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {directory}/acl
# A larger packet is not even read: its sender is disconnected.
max_packet_size {max_packet_bytes}
max_queued_messages 2000
max_inflight_messages 20
persistence true
persistence_location {state}/
autosave_interval 30
log_dest stderr
log_type error
log_type warning
log_type notice
"""

ACCESS = """\
# A device has its own topics and the release that is for everyone; nothing else is allowed.
user {aggregator}
topic read {root}/device/+/presence
topic read {root}/device/+/up
topic write {root}/device/+/down
topic readwrite {root}/all/release

pattern readwrite {root}/device/%u/presence
pattern write {root}/device/%u/up
pattern read {root}/device/%u/down
pattern readwrite {root}/device/%u/emotion
pattern readwrite {root}/device/%u/label
pattern read {root}/all/release
"""


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """Settings of a broker; stored with its configuration as `broker.json`."""

    host: str
    """Name or address by which devices reach the broker; it is in the server's certificate."""
    fleet: str
    port: int = 8883
    bind: str = ""
    """Address to listen on; empty for every interface."""
    user: str = ""
    """System user that Mosquitto runs as when root starts it; empty for its own default."""

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:
            raise BrokerError(f"port is {self.port}, it must lie in 1..65535")
        if not self.host or any(c.isspace() for c in self.host + self.bind + self.user):
            raise BrokerError(f"host {self.host!r}, bind {self.bind!r} or user {self.user!r} is empty or has spaces")
        _check(check_name, "fleet", self.fleet)


def _check(rule: Callable[[str, str], str], what: str, name: str) -> str:
    """Return `name`; raise BrokerError when it cannot be part of a topic and a common name."""
    try:
        return rule(what, name)
    except MessageError as error:
        raise BrokerError(str(error)) from error


def configure(directory: Path, settings: BrokerSettings, devices: Iterable[str]) -> Path:
    """Write configuration, access list and missing certificates; return the configuration's path.

    An authority and certificates that are already there stay as they are.
    """
    names = [_check(check_device, "device", device) for device in devices]
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    authority = _authority(directory, settings.fleet)
    _server_certificate(directory, authority, settings.host)
    for name in (AGGREGATOR, *names):
        _client_certificate(directory, authority, name)
    root = f"overtone/1/{settings.fleet}"
    write_over(directory / "acl", ACCESS.format(aggregator=AGGREGATOR, root=root).encode(), secret=True)
    write_over(directory / "broker.json", (json.dumps(asdict(settings), indent=2) + "\n").encode())
    (directory / "state").mkdir(mode=0o700, exist_ok=True)
    if settings.user and os.geteuid() == 0:
        for name in ("acl", "server.key", "state"):
            _give(directory / name, settings.user)
    return write_configuration(directory, settings, "mosquitto.conf")


def add_device(directory: Path, device: str) -> Path:
    """Issue a certificate for one more device; return its folder. The broker need not be restarted."""
    _check(check_device, "device", device)
    directory = directory.resolve()
    load_settings(directory)
    folder = directory / "clients" / device
    if folder.exists():
        raise BrokerError(f"{folder}: device {device!r} has a certificate already")
    return _client_certificate(directory, _load(directory, "ca"), device)


def load_settings(directory: Path) -> BrokerSettings:
    """Return the settings that `directory` was configured with."""
    path = directory / "broker.json"
    try:
        return BrokerSettings(**json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise BrokerError(f"{path}: not there; run `overtone broker config` first") from error
    except (ValueError, TypeError) as error:
        raise BrokerError(f"{path}: {error}") from error


def _authority(directory: Path, fleet: str) -> Identity:
    if (directory / "ca.crt").exists() or (directory / "ca.key").exists():
        return _load(directory, "ca")
    authority = certificates.make_authority(f"Overtone {fleet}")
    write_new(directory / "ca.key", authority.key_pem, secret=True)
    write_new(directory / "ca.crt", authority.certificate_pem)
    return authority


def _server_certificate(directory: Path, authority: Identity, host: str) -> None:
    hosts = [host, "localhost", "127.0.0.1"]
    if (directory / "server.crt").exists() and (directory / "server.key").exists():
        names = _load(directory, "server").certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        if host in {str(name.value) for name in names.value}:
            return
    identity = certificates.issue_server(authority, hosts)
    write_over(directory / "server.key", identity.key_pem, secret=True)
    write_over(directory / "server.crt", identity.certificate_pem)


def _client_certificate(directory: Path, authority: Identity, name: str) -> Path:
    """Write `clients/NAME/` (the three files a client needs) as a whole, unless it is there."""
    folder = directory / "clients" / name
    if folder.exists():
        return folder
    draft = folder.with_name(f".{name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    identity = certificates.issue_client(authority, name)
    write_new(draft / "client.key", identity.key_pem, secret=True)
    write_new(draft / "client.crt", identity.certificate_pem)
    write_new(draft / "ca.crt", (directory / "ca.crt").read_bytes())
    return draft.rename(folder)


def _load(directory: Path, name: str) -> Identity:
    try:
        return certificates.load_identity(directory / f"{name}.key", directory / f"{name}.crt")
    except (OSError, ValueError) as error:
        raise BrokerError(f"{directory / name}.key, .crt: {error}") from error


def _give(path: Path, user: str) -> None:
    try:
        shutil.chown(path, user)
    except LookupError as error:
        raise BrokerError(f"user: the system has no user {user!r}") from error


def write_configuration(directory: Path, settings: BrokerSettings, name: str) -> Path:
    """Write Mosquitto's own file, called `name`; return its path."""
    text = CONFIGURATION.format(
        listener=f"{settings.port} {settings.bind}".strip(),
        directory=directory,
        state=directory / "state",
        max_packet_bytes=MAX_MESSAGE_BYTES + PACKET_ENVELOPE_BYTES,
    )
    if settings.user:
        text += f"user {settings.user}\n"
    write_over(directory / name, text.encode())
    return directory / name
