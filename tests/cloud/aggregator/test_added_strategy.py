"""A server strategy is added by one class and one row, and runs from the configuration to the released weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.support.model_doubles import FolderPublisher, TargetEvaluator, first_model, read_weights_bundle

from overtone_cloud.aggregator.config import load_config
from overtone_cloud.aggregator.gatekeeper import ClosedRound, Gatekeeper
from overtone_cloud.aggregator.server_optimizers import OPTIMIZERS

CONFIG = """
[aggregator]
fleet = "home"
[mqtt]
host = "127.0.0.1"
[model]
bundle = "first.bundle"
keys = "keys"
[evaluation]
corpus = "corpus"
test_speakers = ["1"]
[server]
optimizer = "sign"
learning_rate = 0.5
"""


@dataclass(frozen=True)
class SignStep:
    """Every weight moves by the learning rate, in the direction of the mean update."""

    learning_rate: float

    def init(self, size: int) -> None:
        return None

    def fits(self, state: object, size: int) -> bool:
        return state is None

    def apply(self, base: np.ndarray, mean: np.ndarray, state: object) -> tuple[np.ndarray, None]:
        return (base + self.learning_rate * np.sign(mean)).astype(np.float32), None


def test_a_strategy_runs_from_the_configuration_to_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "sign", lambda learning_rate, _momentum, _epsilon: SignStep(learning_rate))
    (tmp_path / "aggregator.toml").write_text(CONFIG)
    config = load_config(tmp_path / "aggregator.toml")
    gate = Gatekeeper(TargetEvaluator(), FolderPublisher(tmp_path), margin=1.0, server=config.server)
    base = first_model(tmp_path)
    size = base.weights.size
    delta = np.where(np.arange(size) % 2, 0.01, -0.02).astype(np.float32)
    verdict = gate.conclude(
        ClosedRound(
            round_number=1,
            base=base,
            part=slice(0, size),
            deltas=(delta,),
            examples=(3,),
            server_state=None,
            version=2,
        )
    )
    assert verdict.model is not None
    moved = read_weights_bundle(verdict.model.path.read_bytes()) - base.weights
    np.testing.assert_allclose(moved, 0.5 * np.sign(delta), atol=1e-6)
