"""The plan, data and outcome of a federated training, which both engines share.

The order of every client's examples is fixed here, for every round and local epoch, so that the same plan
means the same batches on TensorFlow Federated and on the product's round engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import TrainingError
from overtone_models.front_end import F32

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class OptimizerChoice:
    """Kind ("sgd" or "adam"), learning rate and Adam's epsilon; its other constants are Keras'."""

    kind: str
    learning_rate: float
    epsilon: float = 1e-7


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Network, optimisers and length of a training; `network_options` go to the network's builder."""

    network: str
    network_options: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 20
    batch: int = 20
    local_epochs: int = 1
    client: OptimizerChoice
    server: OptimizerChoice
    seed: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class ClientData:
    """`(n, windows, 34)` inputs, `(n,)` targets and the rows of each client.

    `watched` rows are classified after every round for the curve; nothing is chosen by them.
    """

    x: F32
    y: I64
    clients: Sequence[I64]
    watched: tuple[F32, I64] | None = None

    def __post_init__(self) -> None:
        empty = [index for index, rows in enumerate(self.clients) if not len(rows)]
        if empty or not self.clients:
            raise TrainingError(f"client {empty[0] + 1} has no utterance" if empty else "there are no clients")


@dataclass(frozen=True, kw_only=True)
class Round:
    """Course of one round: its clients' mean loss and accuracy in training, before they are averaged.

    `watched` is the share of the watched rows that the server recognises afterwards; `seconds` are training alone.
    """

    number: int
    loss: float
    accuracy: float
    watched: float | None
    seconds: float

    def line(self, name: str, rounds: int) -> str:
        """Return the progress line of the round."""
        return (
            f"{name}: round {self.number} of {rounds}, training loss {self.loss:.3f}, "
            f"accuracy {100 * self.accuracy:.1f} %, {self.seconds:.1f} s"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """Weights in Keras order after the last round, and the course of the rounds."""

    engine: str
    weights: list[F32]
    rounds: list[Round]
    start_seconds: float = 0.0
    """Time before the first round, for engines with a process of their own."""

    @property
    def seconds(self) -> float:
        """Training alone: without start, evaluation and saving."""
        return sum(each.seconds for each in self.rounds)

    @property
    def curves(self) -> dict[str, list[float]]:
        """Loss and accuracy of each round; `val_accuracy` are the watched rows, empty where there are none."""
        return {
            "loss": [each.loss for each in self.rounds],
            "accuracy": [each.accuracy for each in self.rounds],
            "val_accuracy": [each.watched for each in self.rounds if each.watched is not None],
        }


def orders(plan: Plan, data: ClientData) -> list[I32]:
    """Return for each client the `(rounds, local_epochs, n)` rows in training order."""
    by_client = []
    for client, rows in enumerate(data.clients):
        draw = np.random.default_rng((plan.seed, client))
        passes = [draw.permutation(rows) for _ in range(plan.rounds * plan.local_epochs)]
        by_client.append(np.array(passes, np.int32).reshape(plan.rounds, plan.local_epochs, len(rows)))
    return by_client
