"""A client written only from docs/protocol.md takes part in a round of the real aggregator."""

import ast
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from tests.bundles import committed_bundles

from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto
from overtone_cloud.bundles.sources import load_bundle
from overtone_cloud.demo import fleet
from overtone_cloud.synthesis import write_corpus
from overtone_converters.signing import make_keys, sign_bundle

sys.path.insert(0, str(Path(__file__).parent))
from shell_device import ShellDevice

EMOTIONS = ("neutral", "happy", "sad", "angry")
NAME = "pi-kitchen"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[ShellDevice, fleet.ChildProcess, Path]]:
    """A real broker, a real aggregator that wants one device, and the shell device."""
    corpus = write_corpus(tmp_path / "voices", 3, EMOTIONS, 2, 5)
    keys = tmp_path / "keys"
    make_keys(keys)
    bundle = tmp_path / "tiny-1.bundle"
    bundle.write_bytes(sign_bundle(committed_bundles()["tiny-1"], name="tiny", version=1, keys=keys))
    configure(tmp_path / "broker", BrokerSettings(host="127.0.0.1", fleet=fleet.FLEET), [NAME])
    rounds = fleet.Rounds(number=1, scope="head", steps=5, learning_rate=0.1, momentum=0.0, seed=0)
    with ExitStack() as cleanup:
        broker = cleanup.enter_context(Mosquitto(tmp_path / "broker"))
        config = fleet.aggregator_config(
            tmp_path,
            port=broker.port,
            bundle=bundle,
            keys=keys,
            corpus=corpus,
            gate=["spk03"],
            devices=1,
            rounds=rounds,
        )
        config.write_text(config.read_text().replace("margin = 0.0", "margin = 1.0"))
        program = Path(sys.executable).parent / "overtone-aggregator"
        command: fleet.Command = [program, "run", "--config", config, "--rounds", "1"]
        aggregator = cleanup.enter_context(fleet.ChildProcess("aggregator", command, tmp_path / "aggregator.log"))
        clients = tmp_path / "broker" / "clients" / NAME
        device = ShellDevice(tmp_path, name=NAME, fleet=fleet.FLEET, port=broker.port, certificates=clients)
        cleanup.callback(device.stop)
        device.start()
        yield device, aggregator, bundle


@pytest.mark.broker
@pytest.mark.timeout(180)
def test_a_round_with_two_command_line_tools(
    running: tuple[ShellDevice, fleet.ChildProcess, Path], tmp_path: Path
) -> None:
    device, aggregator, bundle = running
    rng = np.random.default_rng(0)
    receipt, delta = device.take_part(lambda size: 0.01 * rng.normal(size=size))
    assert receipt["status"] == "accepted", receipt
    release = device.expect("release")
    assert (release["version"], release["round"]) == (2, 1)
    path = tmp_path / "fetched.bundle"
    path.write_bytes(device.fetch(release))
    before, after = load_bundle(bundle), load_bundle(path, tmp_path / "keys" / "root.json")
    expected = before.weights.copy()
    expected[before.manifest.layout.head_slice] += delta
    assert np.abs(after.weights - expected).max() <= 1e-6
    device.send("up", kind="health", bundle=release["bundle"], version=2, state="installed", detail="")
    device.send("presence", retain=True, **offline(after.base))
    assert aggregator.wait(90) == 0


def offline(base: str) -> dict[str, object]:
    """The presence of a device that leaves."""
    zero = bytes(16)
    return {
        "kind": "presence",
        "online": False,
        "boot": zero,
        "software": "shell",
        "runtime": "none",
        "bundle": None,
        "bundle_version": 0,
        "base": bytes.fromhex(base),
        "layout": None,
        "front_end": None,
        "examples": 0,
        "held_out": 0,
    }


def test_the_second_client_uses_nothing_of_the_project() -> None:
    tree = ast.parse((Path(__file__).parent / "shell_device.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not [module for module in modules if str(module).startswith("overtone")]
