"""A round of real agents and the real aggregator over Mosquitto equals FedAvg written out in numpy."""

import csv
import json
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bundles import committed_bundles

from overtone_cloud.broker.configuration import BrokerSettings, configure
from overtone_cloud.broker.mosquitto import Mosquitto
from overtone_cloud.bundles.sources import load_bundle
from overtone_cloud.demo import fleet
from overtone_cloud.synthesis import write_corpus
from overtone_converters.signing import make_keys, sign_bundle
from overtone_edge.hearing.streaming import StreamingRecogniser
from overtone_edge.learning.training_steps import batches
from overtone_models.bundle import Bundle

EMOTIONS = ("neutral", "happy", "sad", "angry")
DEVICES = {"device-1": "spk01", "device-2": "spk02", "device-3": "spk03"}
STEPS, LEARNING_RATE, MOMENTUM, SEED = 12, 0.05, 0.9, 7
BATCH = 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("voices"), 5, EMOTIONS, 6, 3)


def programs() -> Path:
    return Path(sys.executable).parent


def rows_of(corpus: Path, speakers: list[str]) -> list[dict[str, str]]:
    with corpus.open() as file:
        return [row for row in csv.DictReader(file) if row["speaker"] in speakers]


def write_rows(path: Path, corpus: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "speaker", "label", "sentence"))
        for row in rows:
            writer.writerow((corpus.parent / row["path"], row["speaker"], row["label"], row["sentence"]))
    return path


@pytest.mark.broker
@pytest.mark.timeout(180)
def test_a_round_equals_numpy_fedavg(tmp_path: Path, corpus: Path) -> None:
    keys = tmp_path / "keys"
    root = make_keys(keys)
    bundle_path = tmp_path / "tiny-1.bundle"
    bundle_path.write_bytes(sign_bundle(committed_bundles()["tiny-1"], name="tiny", version=1, keys=keys))
    base = load_bundle(bundle_path)
    configure(tmp_path / "broker", BrokerSettings(host="127.0.0.1", fleet=fleet.FLEET), list(DEVICES))
    with Mosquitto(tmp_path / "broker") as broker:
        for number, (device, speaker) in enumerate(DEVICES.items(), 1):
            config = fleet.agent_config(tmp_path, device, port=broker.port, root=root, seed=0)
            log = tmp_path / f"{device}.log"
            # Devices with different numbers of examples, so that the weights of the average matter.
            labelled = write_rows(tmp_path / device / "own.csv", corpus, rows_of(corpus, [speaker])[:: 4 - number])
            for command in (["install", bundle_path], ["label", "--manifest", labelled]):
                fleet.call(device, [programs() / "overtone-agent", *command, "--config", config], log)
        released = run_one_round(tmp_path, broker.port, bundle_path, keys, corpus)
    updates = [numpy_update(tmp_path / device / "state" / "store", base) for device in DEVICES]
    assert len({examples for _, examples in updates}) > 1
    total = sum(examples for _, examples in updates)
    mean = sum(delta * (examples / total) for delta, examples in updates)
    expected = base.weights.astype(np.float64)
    expected[base.manifest.layout.head_slice] += mean
    assert np.abs(mean).max() > 1e-3
    assert np.abs(released.weights - expected).max() <= 1e-5
    assert released.manifest.base_round == 1
    assert released.manifest.version == 2


def run_one_round(folder: Path, port: int, bundle: Path, keys: Path, corpus: Path) -> Bundle:
    """Run aggregator and agents until every agent has the release; return the released bundle."""
    rounds = fleet.Rounds(
        number=1, scope="head", steps=STEPS, learning_rate=LEARNING_RATE, momentum=MOMENTUM, seed=SEED
    )
    own = write_rows(folder / "aggregator" / "corpus.csv", corpus, rows_of(corpus, ["spk04", "spk05"]))
    config = fleet.aggregator_config(
        folder, port=port, bundle=bundle, keys=keys, corpus=own, gate=["spk05"], devices=len(DEVICES), rounds=rounds
    )
    # Random weights learn nothing that an unseen speaker would show: the gate must not decide here.
    config.write_text(config.read_text().replace("margin = 0.0", "margin = 1.0"))
    program = programs() / "overtone-aggregator"
    with ExitStack() as running:
        command = [program, "run", "--config", config, "--rounds", "1"]
        aggregator = running.enter_context(fleet.ChildProcess("aggregator", command, folder / "aggregator.log"))
        agents = []
        for device in DEVICES:
            run = [programs() / "overtone-agent", "run", "--config", folder / device / "agent.toml"]
            agents.append(running.enter_context(fleet.ChildProcess(device, run, folder / f"{device}.log")))
        end = time.monotonic() + 120
        while aggregator.running and time.monotonic() < end:
            for agent in agents:
                agent.check()
            time.sleep(0.2)
        assert aggregator.wait(1) == 0, fleet.last_line(aggregator.log)
    status = status_of(program, config, folder)
    assert [r["outcome"] for r in status["rounds"]] == ["kept"], status
    assert {d["id"]: d["bundle_version"] for d in status["devices"]} == dict.fromkeys(DEVICES, 2)
    return load_bundle(Path(status["releases"][-1]["path"]), keys / "root.json")


def status_of(program: Path, config: Path, folder: Path) -> dict[str, Any]:
    text = fleet.call("status", [program, "status", "--config", config, "--json"], folder / "status.log")
    found: dict[str, Any] = json.loads(text)
    return found


def numpy_update(store: Path, base: Bundle) -> tuple[np.ndarray[Any, np.dtype[np.float64]], int]:
    """Return (delta of the head, examples) of one device by softmax regression in float64."""
    recogniser = StreamingRecogniser(base)
    embeddings, targets = [], []
    for path in sorted(store.glob("*.npz")):
        _, label, part, *_ = path.name.split("-")
        if part == "t":
            with np.load(path, allow_pickle=False) as example:
                embeddings.append(recogniser.embedding(example["frames"]))
            targets.append(base.manifest.labels.index(label))
    x, y = np.stack(embeddings).astype(np.float64), np.eye(len(EMOTIONS))[targets]
    w, b = split_head(base.head.astype(np.float64), base)
    start = np.concatenate([w.reshape(-1), b])
    velocity_w, velocity_b = np.zeros_like(w), np.zeros_like(b)
    # A round is called with its own seed: the configured one plus the round's number, here 1.
    for rows in batches(len(x), BATCH, STEPS, SEED + 1):
        logits = x[rows] @ w + b
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        error = (exponentials / exponentials.sum(1, keepdims=True) - y[rows]) / len(rows)
        velocity_w = MOMENTUM * velocity_w + x[rows].T @ error
        velocity_b = MOMENTUM * velocity_b + error.sum(0)
        w, b = w - LEARNING_RATE * velocity_w, b - LEARNING_RATE * velocity_b
    return np.concatenate([w.reshape(-1), b]) - start, len(x)


def split_head(head: Any, base: Bundle) -> tuple[Any, Any]:
    network = base.manifest.network
    split = network.embedding_size * network.n_classes
    return head[:split].reshape(network.embedding_size, network.n_classes), head[split:]


def test_programs_are_installed() -> None:
    assert all(shutil.which(programs() / name) for name in ("overtone-agent", "overtone-aggregator"))
