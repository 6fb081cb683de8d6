"""The broker's configuration, and a real Mosquitto that keeps to it."""

import argparse
import contextlib
import json
import os
import shlex
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from overtone_cloud.broker.certificates import load_identity
from overtone_cloud.broker.configuration import (
    MAX_MESSAGE_BYTES,
    PACKET_ENVELOPE_BYTES,
    BrokerSettings,
    add_device,
    configure,
    load_settings,
)
from overtone_cloud.broker.mosquitto import Mosquitto, default_user, free_port
from overtone_cloud.cli.broker import register
from overtone_cloud.errors import BrokerError

ROOT = "overtone/1/home"
PATIENCE_S = 20.0
DELIVERED = ("Success", "No matching subscribers")


def command(argv: list[str]) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(argv)
    code: int = args.func(args)
    return code


def test_config_writes_what_a_broker_and_its_clients_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "broker"
    line = ["broker", "config", "--out", str(out), "--host", "hub.local", "--fleet", "home", "--device", "pi-1", "pi-2"]
    assert command(line) == 0
    assert "mosquitto.conf" in capsys.readouterr().out
    text = (out / "mosquitto.conf").read_text()
    for setting in ("listener 8883", "require_certificate true", "use_identity_as_username true", "persistence true"):
        assert f"{setting}\n" in text
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.crt"))
    assert names == ["ca.crt"] + [
        f"clients/{c}/{f}.crt" for c in ("aggregator", "pi-1", "pi-2") for f in ("ca", "client")
    ] + ["server.crt"]
    for key in out.rglob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert load_settings(out) == BrokerSettings(host="hub.local", fleet="home", user=default_user())


def test_devices_are_named_one_by_one_too(tmp_path: Path) -> None:
    words = "broker config --host broker.local --fleet home --device kitchen --device hall --out"
    assert command([*words.split(), str(tmp_path)]) == 0
    assert {path.name for path in (tmp_path / "clients").iterdir()} == {"aggregator", "kitchen", "hall"}


@pytest.mark.broker
@pytest.mark.skipif(not default_user(), reason="root starts Mosquitto, which becomes a user of its own")
def test_what_is_printed_starts_a_broker(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    # Not tmp_path: pytest keeps other users out of it.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        words = "broker config --host localhost --bind 127.0.0.1 --fleet home"
        assert command([*words.split(), "--port", str(port), "--out", folder]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("start it with: /")]
        files = Path(folder) / "clients" / "aggregator"
        with subprocess.Popen(shlex.split(line.removeprefix("start it with: ")), stderr=subprocess.PIPE) as child:
            try:
                assert _accepts(port, files, child), child.stderr and child.stderr.read()
            finally:
                child.terminate()


def _accepts(port: int, files: Path, child: "subprocess.Popen[bytes]") -> bool:
    """Return whether a client with these files is let in before the child ends."""
    context = ssl.create_default_context(cafile=files / "ca.crt")
    context.load_cert_chain(files / "client.crt", files / "client.key")
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and child.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as plain:
                context.wrap_socket(plain, server_hostname="localhost").close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def test_certificates_are_what_they_should_be(tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="192.168.7.2", fleet="home"), ["pi-1"])
    authority = load_identity(tmp_path / "ca.key", tmp_path / "ca.crt").certificate
    server = load_identity(tmp_path / "server.key", tmp_path / "server.crt").certificate
    client = load_identity(tmp_path / "clients/pi-1/client.key", tmp_path / "clients/pi-1/client.crt").certificate
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"192.168.7.2", "localhost", "127.0.0.1"}
    assert client.subject.rfc4514_string() == "CN=pi-1"
    for certificate in (server, client):
        certificate.verify_directly_issued_by(authority)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert b"PRIVATE KEY" not in client.public_bytes(serialization.Encoding.PEM)


def test_running_it_again_keeps_the_authority_and_adds_what_is_missing(tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="a.local", fleet="home"), ["pi-1"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.key")}
    configure(tmp_path, BrokerSettings(host="b.local", fleet="home", port=1884), ["pi-1", "pi-2"])
    changed = {path.name for path, data in before.items() if path.read_bytes() != data}
    assert changed == {"server.key"}
    assert "listener 1884" in (tmp_path / "mosquitto.conf").read_text()
    assert (tmp_path / "clients/pi-2/client.crt").exists()


def test_a_device_is_added_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), [])
    assert command(["broker", "add-device", "--dir", str(tmp_path), "pi-9"]) == 0
    assert capsys.readouterr().out.strip().endswith("clients/pi-9")
    with pytest.raises(BrokerError, match="has a certificate already"):
        add_device(tmp_path, "pi-9")


@pytest.mark.parametrize("name", ["", "Pi", "a/b", "+", "#", "a" * 64, "aggregator", "-x", "pi\n"])
def test_names_that_could_widen_the_access_list_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BrokerError, match="device is"):
        configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), [name])


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"port is 70000, it must lie in 1\.\.65535"):
        BrokerSettings(host="localhost", fleet="home", port=70_000)
    with pytest.raises(BrokerError, match="fleet is 'a/b'"):
        BrokerSettings(host="localhost", fleet="a/b")
    with pytest.raises(BrokerError, match=r"broker\.json: not there"):
        add_device(tmp_path, "pi-1")
    (tmp_path / "broker.json").write_text(json.dumps({"host": "x", "fleet": "home", "colour": 1}))
    with pytest.raises(BrokerError, match="colour"):
        load_settings(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match="file"):
        command(["broker", "config", "--out", str(tmp_path / "file"), "--host", "localhost", "--fleet", "home"])


def test_half_an_authority_is_not_replaced(tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), [])
    (tmp_path / "ca.key").unlink()
    with pytest.raises(BrokerError, match=r"ca\.key"):
        configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), ["pi-1"])


class Party:
    """A client of the tests' own."""

    def __init__(self, broker: Mosquitto, name: str, *, folder: str = "", topics: tuple[str, ...] = ()) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answers: list[str] = []
        self.granted: list[str] = []
        self.disconnects: list[str] = []
        self._something = threading.Condition()
        files = broker.directory / "clients" / (folder or name)
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"{name}-test", protocol=MQTTProtocolVersion.MQTTv5)
        self.client.tls_set(str(files / "ca.crt"), str(files / "client.crt"), str(files / "client.key"))
        self.client.on_message = lambda _c, _d, m: self._note(self.received, (m.topic, bytes(m.payload)))
        self.client.on_publish = lambda _c, _d, _m, code, _p: self._note(self.answers, str(code))
        self.client.on_subscribe = lambda _c, _d, _m, codes, _p: self._note(self.granted, str(codes[0]))
        self.client.on_disconnect = lambda _c, _d, _f, code, _p: self._note(self.disconnects, str(code))
        self.client.connect("localhost", broker.port, keepalive=10)
        self.client.loop_start()
        for topic in topics:
            self.client.subscribe(topic, qos=1)
        self.wait(lambda: len(self.granted) == len(topics))

    def _note(self, place: list, what: object) -> None:  # type: ignore[type-arg]
        with self._something:
            place.append(what)
            self._something.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._something:
            assert self._something.wait_for(condition, timeout=PATIENCE_S), (self.received, self.answers, self.granted)

    def say(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> str:
        """Publish and return the broker's answer."""
        count = len(self.answers)
        self.client.publish(topic, payload, qos=1, retain=retain)
        self.wait(lambda: len(self.answers) > count)
        return self.answers[-1]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("broker")
    configure(folder, BrokerSettings(host="localhost", fleet="home"), ["a", "b"])
    with Mosquitto(folder) as running:
        yield running


@pytest.fixture
def join(broker: Mosquitto) -> Iterator[Callable[..., Party]]:
    parties: list[Party] = []

    def connect(name: str, **options: object) -> Party:
        parties.append(Party(broker, name, **options))  # type: ignore[arg-type]
        return parties[-1]

    yield connect
    for party in parties:
        party.close()


@pytest.mark.broker
def test_a_device_cannot_speak_for_another(join: Callable[..., Party]) -> None:
    aggregator = join("aggregator", topics=(f"{ROOT}/device/+/up", f"{ROOT}/device/+/presence"))
    device = join("a")
    for topic in (f"{ROOT}/device/b/up", f"{ROOT}/device/b/presence", f"{ROOT}/all/release", f"{ROOT}/device/a/down"):
        assert device.say(topic, b"forged") == "Not authorized"
    assert device.say(f"{ROOT}/device/a/up", b"own") == "Success"
    aggregator.wait(lambda: len(aggregator.received) == 1)
    assert aggregator.received == [(f"{ROOT}/device/a/up", b"own")]


@pytest.mark.broker
def test_a_device_hears_nothing_of_another(join: Callable[..., Party]) -> None:
    device = join("a", topics=("#", f"{ROOT}/device/+/emotion", f"{ROOT}/device/b/down", f"{ROOT}/device/a/down"))
    other = join("b")
    aggregator = join("aggregator")
    assert other.say(f"{ROOT}/device/b/emotion", b"private") == "Success"
    assert aggregator.say(f"{ROOT}/device/b/down", b"private") == "Success"
    assert aggregator.say(f"{ROOT}/device/a/down", b"yours") == "Success"
    device.wait(lambda: bool(device.received))
    assert {topic for topic, _ in device.received} == {f"{ROOT}/device/a/down"}


@pytest.mark.broker
def test_everyone_hears_a_release_and_a_home_may_read_its_own_device(join: Callable[..., Party]) -> None:
    agent = join("a", topics=(f"{ROOT}/all/release", f"{ROOT}/device/a/label"))
    home = join("a-home", folder="a", topics=(f"{ROOT}/device/a/emotion",))
    aggregator = join("aggregator")
    assert aggregator.say(f"{ROOT}/all/release", b"v2", retain=True) == "Success"
    assert home.say(f"{ROOT}/device/a/label", b"happy") == "Success"
    assert agent.say(f"{ROOT}/device/a/emotion", b"{}") == "Success"
    agent.wait(lambda: len(agent.received) >= 2)
    home.wait(lambda: home.received == [(f"{ROOT}/device/a/emotion", b"{}")])


@pytest.mark.broker
def test_an_oversize_message_never_arrives(join: Callable[..., Party]) -> None:
    aggregator = join("aggregator", topics=(f"{ROOT}/device/+/up",))
    rude = join("a")
    rude.client.publish(f"{ROOT}/device/a/up", bytes(MAX_MESSAGE_BYTES + PACKET_ENVELOPE_BYTES), qos=0)
    rude.wait(lambda: bool(rude.disconnects))
    device = join("b")
    assert device.say(f"{ROOT}/device/b/up", bytes(MAX_MESSAGE_BYTES)) == "Success"
    aggregator.wait(lambda: bool(aggregator.received))
    assert [len(payload) for _, payload in aggregator.received] == [MAX_MESSAGE_BYTES]


def is_admitted(broker: Mosquitto, context: ssl.SSLContext) -> bool:
    """Return whether a client with these certificates gets a connection within a second."""
    connected = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(context)
    client.on_connect = lambda *_: connected.set()
    with contextlib.suppress(ssl.SSLError, OSError):
        client.connect("localhost", broker.port)
        for _ in range(20):
            client.loop(0.05)
    return connected.is_set()


@pytest.mark.broker
def test_a_client_without_a_certificate_is_turned_away(broker: Mosquitto) -> None:
    assert not is_admitted(broker, ssl.create_default_context(cafile=broker.directory / "ca.crt"))


@pytest.mark.broker
def test_a_certificate_of_another_authority_is_turned_away(broker: Mosquitto, tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), ["b"])
    for known, admitted in ((tmp_path, False), (broker.directory, True)):
        context = ssl.create_default_context(cafile=broker.directory / "ca.crt")
        files = next((known / "clients").glob("b"))
        context.load_cert_chain(files / "client.crt", files / "client.key")
        assert is_admitted(broker, context) is admitted


@pytest.mark.broker
def test_retained_messages_outlive_the_broker(tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), ["a"])
    broker = Mosquitto(tmp_path)
    with broker:
        party = Party(broker, "aggregator")
        assert party.say(f"{ROOT}/all/release", b"v7", retain=True) in DELIVERED
        party.close()
    with broker:
        party = Party(broker, "a", topics=(f"{ROOT}/all/release",))
        party.wait(lambda: party.received == [(f"{ROOT}/all/release", b"v7")])
        party.close()


@pytest.mark.broker
def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    configure(tmp_path, BrokerSettings(host="localhost", fleet="home"), [])
    (tmp_path / "server.crt").write_text("not a certificate")
    with pytest.raises(BrokerError, match=r"mosquitto\.log: mosquitto does not accept connections"):
        Mosquitto(tmp_path).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_unknown_system_user_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="the system has no user 'nobody-here'"):
        configure(tmp_path, BrokerSettings(host="localhost", fleet="home", user="nobody-here"), [])
