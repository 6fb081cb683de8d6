"""Runs an aggregator with test doubles for evaluator and publisher, in a process that its test kills.

python -m tests.cloud.aggregator.run_aggregator FOLDER BROKER PORT
"""

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.model_doubles import FolderPublisher, TargetEvaluator, first_model, small_layout

from overtone_cloud.aggregator.aggregator import Aggregator
from overtone_cloud.aggregator.averaging import F32
from overtone_cloud.aggregator.config import (
    AggregatorConfig,
    EvaluationConfig,
    FleetConfig,
    ModelConfig,
    MqttConfig,
    ServerConfig,
)
from overtone_cloud.aggregator.errors import LinkError
from overtone_cloud.aggregator.gatekeeper import Evaluation, Gatekeeper
from overtone_cloud.aggregator.rounds import RoundConfig
from overtone_cloud.aggregator.state import Store
from overtone_common.mqtt import MqttLink

BODY, HEAD = 1900, 100


@dataclass
class SlowEvaluator(TargetEvaluator):
    """Takes its time, so that a kill may fall into it."""

    def evaluate(self, weights: F32) -> Evaluation:
        time.sleep(0.05)
        return super().evaluate(weights)


def main(folder: Path, broker: Path, port: int) -> None:
    files = broker / "clients" / "aggregator"
    config = AggregatorConfig(
        aggregator=FleetConfig(fleet="home", state_dir=folder / "state"),
        mqtt=MqttConfig(
            host="localhost",
            port=port,
            ca_file=files / "ca.crt",
            cert_file=files / "client.crt",
            key_file=files / "client.key",
        ),
        model=ModelConfig(bundle=folder, keys=folder, out=folder / "releases"),
        evaluation=EvaluationConfig(corpus=folder, test_speakers=("a",)),
        server=ServerConfig(learning_rate=0.5, momentum=0.5),
        round=RoundConfig(scope="full", min_devices=3, max_devices=3, quorum=3, gather_s=0, failed_pause_s=0),
    )
    store = Store(config.aggregator.database_url).create()
    gatekeeper = Gatekeeper(SlowEvaluator(), FolderPublisher(folder / "releases"), margin=1.0, server=config.server)
    aggregator = Aggregator(
        config,
        store=store,
        link=MqttLink(config.mqtt, client_id=store.client_id(), max_message_bytes=65_536, error=LinkError),
        gatekeeper=gatekeeper,
        initial=first_model(folder / "releases", layout=small_layout(BODY, HEAD)),
        tick_s=0.02,
    )
    print("ready", flush=True)
    aggregator.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
