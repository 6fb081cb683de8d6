"""The gate keeps what is no worse than the margin allows, and asks for the base's measures once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.model_doubles import FolderPublisher, TargetEvaluator, first_model, read_weights_bundle

from overtone_cloud.aggregator.config import ServerConfig
from overtone_cloud.aggregator.errors import ReleaseError
from overtone_cloud.aggregator.gatekeeper import ClosedRound, Evaluation, Gatekeeper, ReleasedModel
from overtone_models.layout import weights_digest


@dataclass
class Fixed:
    """An evaluator with given answers."""

    answers: list[float]

    def evaluate(self, weights: np.ndarray) -> Evaluation:
        return Evaluation(uar=self.answers.pop(0), loss=1.0, n=10)


def work(base: ReleasedModel, delta: float = 0.01) -> ClosedRound:
    size = base.weights.size
    return ClosedRound(
        round_number=1,
        base=base,
        part=slice(0, size),
        deltas=(np.full(size, delta, np.float32),),
        examples=(3,),
        server_state=None,
        version=2,
    )


@pytest.mark.parametrize(
    ("after", "outcome"), [(0.62, "kept"), (0.595, "kept"), (0.589, "not-kept"), (float("nan"), "not-kept")]
)
def test_the_margin_decides(tmp_path: Path, after: float, outcome: str) -> None:
    gate = Gatekeeper(Fixed([0.6, after]), FolderPublisher(tmp_path), margin=0.01, server=ServerConfig())
    verdict = gate.conclude(work(first_model(tmp_path)))
    assert verdict.outcome == outcome
    assert (verdict.model is not None) == (tmp_path / "weights-2.bundle").exists() == (outcome == "kept")


def test_what_is_published_is_what_was_judged(tmp_path: Path) -> None:
    evaluator = TargetEvaluator()
    gate = Gatekeeper(evaluator, FolderPublisher(tmp_path), margin=1.0, server=ServerConfig(momentum=0.9))
    base = first_model(tmp_path)
    verdict = gate.conclude(work(base))
    assert verdict.model is not None and verdict.server_state is not None
    assert np.array_equal(read_weights_bundle(verdict.model.path.read_bytes()), evaluator.evaluated[-1])
    assert verdict.model.key.base.hex() == weights_digest(evaluator.evaluated[-1])
    assert verdict.model.key.layout == base.key.layout


def test_the_state_of_another_optimiser_is_dropped(tmp_path: Path) -> None:
    """An operator changes [server] optimizer: the first round starts afresh instead of failing for ever."""
    base = first_model(tmp_path)
    sgd = Gatekeeper(TargetEvaluator(), FolderPublisher(tmp_path), margin=1.0, server=ServerConfig(momentum=0.9))
    first = sgd.conclude(work(base))
    server = ServerConfig(optimizer="adam", learning_rate=0.01)
    adam = Gatekeeper(TargetEvaluator(), FolderPublisher(tmp_path), margin=1.0, server=server)
    fresh, after = adam.conclude(work(base)), adam.conclude(replace(work(base), server_state=first.server_state))
    assert fresh.model is not None and after.model is not None
    assert np.array_equal(fresh.model.weights, after.model.weights)
    later = adam.conclude(replace(work(base), server_state=after.server_state))
    assert later.server_state is not None and later.server_state[-1] == 2.0


def test_the_base_is_measured_once(tmp_path: Path) -> None:
    evaluator = TargetEvaluator()
    gate = Gatekeeper(evaluator, FolderPublisher(tmp_path), margin=1.0, server=ServerConfig())
    base = first_model(tmp_path)
    first = gate.conclude(work(base))
    assert first.model is not None and len(evaluator.evaluated) == 2
    second = gate.conclude(work(first.model))
    assert len(evaluator.evaluated) == 3 and second.before == first.after


def test_a_model_that_cannot_be_judged_fails_the_round(tmp_path: Path) -> None:
    class Broken:
        def evaluate(self, weights: np.ndarray) -> Evaluation:
            raise ReleaseError("corpus is gone")

    verdict = Gatekeeper(Broken(), FolderPublisher(tmp_path), margin=0.0, server=ServerConfig()).conclude(
        work(first_model(tmp_path))
    )
    assert (verdict.outcome, verdict.reason, verdict.model) == ("failed", "corpus is gone", None)


def test_whatever_goes_wrong_is_the_reason_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FolderPublisher):
        def publish(self, weights: np.ndarray, *, round_number: int, version: int) -> Path:
            raise RuntimeError("converter ended")

    verdict = Gatekeeper(TargetEvaluator(), Broken(tmp_path), margin=1.0, server=ServerConfig()).conclude(
        work(first_model(tmp_path))
    )
    assert (verdict.outcome, verdict.reason) == ("failed", "RuntimeError: converter ended")
    assert verdict.after is not None
    assert "Traceback" in caplog.text
