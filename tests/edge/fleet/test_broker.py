"""The agent's process against a real Mosquitto: absent at first, with TLS, killed and started again."""

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from overtone_common.link import Will
from overtone_edge.agent.cli import main
from overtone_edge.core.config import load_config
from overtone_edge.fleet.uplink import Uplink
from overtone_protocol import Presence, RoundCall, RoundReply, Topics, decode, encode

pytestmark = pytest.mark.broker

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
TOPICS = Topics("test")
ENOUGH_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_few_publications_stay_unacknowledged(make_config) -> None:
    uplink = Uplink(load_config(make_config("[mqtt]\n")), None, lambda: "a")
    link = uplink._make_link(Will("will", b""))
    assert link._client.max_inflight_messages == 8
    assert not link.publish("t", b"")  # nothing is kept for later: the uplink decides what is sent again


class Broker:
    """Mosquitto as a child process; `kill` and `start` again on the same port."""

    def __init__(self, folder: Path, port: int, lines: str) -> None:
        self.port = port
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {port} 127.0.0.1\npersistence true\npersistence_location {folder}/\nuser root\n{lines}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + ENOUGH_S
        while True:
            assert self._process.poll() is None and time.monotonic() < deadline
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


class Watcher:
    """A client that sees everything of the fleet."""

    def __init__(self, port: int, tls: tuple[str, str, str] | None = None) -> None:
        self._messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="aggregator", protocol=MQTTProtocolVersion.MQTTv5)
        if tls is not None:
            self.client.tls_set(*tls)
        self.client.on_message = lambda _c, _d, message: self._messages.put((message.topic, message.payload))
        self.client.on_connect = lambda client, *_rest: client.subscribe(f"{TOPICS.root}/#", 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def next(self, topic: str) -> bytes:
        while True:
            got, payload = self._messages.get(timeout=ENOUGH_S)
            if got == topic:
                return payload

    def presence(self, *, online: bool) -> Presence:
        while True:
            message = decode(self.next(TOPICS.presence("device-a")))
            assert isinstance(message, Presence)
            if message.online == online:
                return message

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextlib.contextmanager
def agent_process(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "overtone_edge.agent.cli", "run", "--config", str(config)],
            stderr=file,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def call() -> RoundCall:
    return RoundCall(
        round=1,
        round_id=b"1" * 16,
        scope="head",
        base=bytes(32),
        layout=bytes(32),
        steps=1,
        learning_rate=0.1,
        momentum=0.0,
        seed=0,
        deadline_s=60.0,
        max_norm=1.0,
    )


def test_a_broker_that_comes_late_goes_and_comes_back(make_config, fleet, tmp_path: Path, recording) -> None:
    broker = Broker(tmp_path, free_port(), "allow_anonymous true")
    config = make_config(
        '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\nat_end = "stay"\n'
        f'[decision]\nthreshold = 0.0\n[output]\njsonl = "events.jsonl"\n[mqtt]\nport = {broker.port}\n'
    )
    assert main(["install", str(fleet.path(1)), "--config", str(config)]) == 0
    with agent_process(config, tmp_path / "agent.log") as agent:
        events = tmp_path / "events.jsonl"
        deadline = time.monotonic() + ENOUGH_S
        while not (events.exists() and events.read_text().count('"final":true') == 2 and tried_in_vain(tmp_path)):
            assert agent.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        broker.start()
        try:
            watcher = Watcher(broker.port)
            assert watcher.presence(online=True).bundle_version == 1
            watcher.client.publish(TOPICS.label("device-a"), json.dumps({"label": "happy", "last_s": 2}), 1)
            labelled = watcher.presence(online=True)
            assert labelled.examples + labelled.held_out == 1
            watcher.close()
            broker.stop()
            broker.start()
            watcher = Watcher(broker.port)
            watcher.presence(online=True)
            watcher.client.publish(TOPICS.down("device-a"), encode(call()), 1)
            reply = decode(watcher.next(TOPICS.up("device-a")))
            assert isinstance(reply, RoundReply) and reply.reason.startswith("wrong-base")
            agent.send_signal(signal.SIGKILL)
            agent.wait()
            watcher.presence(online=False)
            watcher.close()
        finally:
            broker.stop()


def tried_in_vain(folder: Path) -> bool:
    """Return whether the agent said that the broker does not answer."""
    return b"cannot be reached: " in (folder / "agent.log").read_bytes()


def make_certificates(folder: Path) -> None:
    """Write ca.crt and, for server, device-a and aggregator, a certificate and a key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test ca")])

    def write(name: str, key, subject: x509.Name, *, ca: bool) -> None:
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(authority, hashes.SHA256())
        )
        (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    write("ca", authority, issuer, ca=True)
    for name in ("server", "device-a", "aggregator"):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        write(name, ec.generate_private_key(ec.SECP256R1()), subject, ca=False)


def test_with_a_certificate_and_access_rules(make_config, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    (tmp_path / "acl").write_text(
        f"user aggregator\ntopic readwrite {TOPICS.root}/#\n"
        f"pattern write {TOPICS.root}/device/%u/presence\npattern write {TOPICS.root}/device/%u/up\n"
        f"pattern read {TOPICS.root}/device/%u/down\npattern read {TOPICS.root}/device/%u/label\n"
        f"pattern read {TOPICS.release}\n"
    )
    lines = (
        f"cafile {tmp_path}/ca.crt\ncertfile {tmp_path}/server.crt\nkeyfile {tmp_path}/server.key\n"
        f"require_certificate true\nuse_identity_as_username true\nallow_anonymous false\nacl_file {tmp_path}/acl"
    )
    broker = Broker(tmp_path, free_port(), lines)
    broker.start()
    try:
        tls = tuple(str(tmp_path / name) for name in ("ca.crt", "aggregator.crt", "aggregator.key"))
        watcher = Watcher(broker.port, tls)  # type: ignore[arg-type]
        config = make_config(
            f'[source]\nkind = "none"\n[mqtt]\nport = {broker.port}\nca_file = "ca.crt"\n'
            'cert_file = "device-a.crt"\nkey_file = "device-a.key"\n'
        )
        with agent_process(config, tmp_path / "agent.log") as agent:
            assert watcher.presence(online=True).bundle is None
            watcher.client.publish(TOPICS.down("device-a"), encode(call()), 1)
            reply = decode(watcher.next(TOPICS.up("device-a")))
            assert isinstance(reply, RoundReply) and reply.reason.startswith("no-bundle")
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(ENOUGH_S) == 0
            watcher.presence(online=False)
        watcher.close()
    finally:
        broker.stop()
