"""One rule of TLS for device and aggregator, and the [mqtt] section that both share."""

from pathlib import Path

import pytest

import overtone_cloud.aggregator.config as aggregator
import overtone_cloud.errors
import overtone_edge.core.config as device
import overtone_edge.core.errors
from overtone_common.link import MqttConfig, is_loopback

REMOTE = [
    "broker.example.org",
    "kitchen",
    "localhost.example.org",
    "192.168.1.2",
    "10.0.0.1",
    "126.255.255.255",
    "0.0.0.0",
    "2001:db8::1",
    "fe80::1",
    "::",
    "::ffff:192.168.1.2",
]
LOCAL = ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "127.255.255.254", "::1", "::ffff:127.0.0.1"]

DEVICE = '[device]\nid = "a"\nstate_dir = "s"\n[trust]\nroot_file = "root.json"\n[mqtt]\n'
AGGREGATOR = (
    '[aggregator]\nfleet = "home"\n[model]\nbundle = "b"\nkeys = "k"\n'
    '[evaluation]\ncorpus = "c"\ntest_speakers = ["1"]\n[mqtt]\n'
)
SIDES = {
    "device": (DEVICE, device.load_config, overtone_edge.core.errors.ConfigError),
    "aggregator": (AGGREGATOR, aggregator.load_config, overtone_cloud.errors.ConfigError),
}


@pytest.fixture(params=SIDES)
def load(request: pytest.FixtureRequest, tmp_path: Path):
    """Return a function that loads an [mqtt] section on one side and returns its configuration or its error's text."""
    text, loader, error = SIDES[request.param]
    (tmp_path / "root.json").write_text("{}")

    def load(lines: str):
        path = tmp_path / "config.toml"
        path.write_text(text + lines)
        try:
            return loader(path).mqtt
        except error as refusal:
            return str(refusal).removeprefix(f"{path}: ")

    return load


@pytest.mark.parametrize("host", REMOTE)
def test_another_machine_is_reached_by_tls_only(load, host: str) -> None:
    expected = f"[mqtt] ca_file is missing: host {host!r} is another machine, which is reached by TLS only"
    assert load(f'host = "{host}"\n') == expected
    assert not is_loopback(host)


@pytest.mark.parametrize("host", LOCAL)
def test_the_same_machine_needs_no_tls(load, host: str) -> None:
    assert load(f'host = "{host}"\n').host == host
    assert is_loopback(host)


def test_with_a_certificate_authority_another_machine_is_reached(load, tmp_path: Path) -> None:
    for name in ("ca.crt", "a.crt", "a.key"):
        (tmp_path / name).write_text("")
    files = 'ca_file = "ca.crt"\ncert_file = "a.crt"\nkey_file = "a.key"\n'
    assert load(f'host = "broker.example.org"\n{files}').ca_file == tmp_path / "ca.crt"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ('cert_file = "a"\nca_file = "c"\n', "cert_file and key_file are needed together"),
        ('cert_file = "a"\nkey_file = "c"\n', "ca_file is missing; a certificate is used with TLS only"),
        ("port = 0\n", "port is 0, limit is 1..65535"),
        ("keepalive_s = 1\n", "keepalive_s is 1, limit is 5..65535"),
        ("session_expiry_s = 4294967295\n", "session_expiry_s is 4294967295, limit is 60..4294967294"),
        ("reconnect_max_s = 5\nreconnect_min_s = 6\n", "reconnect_max_s is 5, limit is reconnect_min_s = 6 or more"),
        ("keepalive = 5\n", "unknown key 'keepalive'; did you mean 'keepalive_s' (in seconds)?"),
    ],
)
def test_mistakes_read_the_same_on_both_sides(load, lines: str, line: str) -> None:
    assert load(f'host = "localhost"\n{lines}') == f"[mqtt] {line}"


def test_only_keepalive_differs_by_default(load) -> None:
    config = load('host = "localhost"\n')
    assert config.keepalive_s in (30, 60)
    for name in ("port", "session_expiry_s", "reconnect_min_s", "reconnect_max_s", "ca_file"):
        assert getattr(config, name) == getattr(MqttConfig(), name)
