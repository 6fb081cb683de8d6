"""The plan, data and outcome of a federated training, which both engines share.

The order of every client's examples is fixed here, for every round and local epoch, so that the same plan
means the same batches on TensorFlow Federated and on the product's round engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

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


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """Weights in Keras order after the last round, and the course of the rounds."""

    engine: str
    weights: list[F32]
    loss: list[float]
    """Mean training loss of a round's clients, before its averaging."""
    accuracy: list[float]
    watched_accuracy: list[float]
    seconds: float
    """Training alone: without start, evaluation and saving."""
    start_seconds: float = 0.0
    """Time before the first round, for engines with a process of their own."""


class Engine(Protocol):
    """A federated engine; `weights` are the first ones, in Keras order."""

    @property
    def name(self) -> str:
        """ "tff" or "own"."""

    def run(self, plan: Plan, data: ClientData, weights: Sequence[F32], *, log: Log, name: str) -> Outcome:
        """Return the outcome of `plan.rounds` rounds that start from `weights`."""


def orders(plan: Plan, data: ClientData) -> list[I32]:
    """Return for each client the `(rounds, local_epochs, n)` rows in training order."""
    by_client = []
    for client, rows in enumerate(data.clients):
        draw = np.random.default_rng((plan.seed, client))
        passes = [draw.permutation(rows) for _ in range(plan.rounds * plan.local_epochs)]
        by_client.append(np.array(passes, np.int32).reshape(plan.rounds, plan.local_epochs, len(rows)))
    return by_client


def round_line(name: str, plan: Plan, number: int, loss: float, accuracy: float, seconds: float) -> str:
    """Return the progress line of one round."""
    return (
        f"{name}: round {number} of {plan.rounds}, training loss {loss:.3f}, accuracy {100 * accuracy:.1f} %, "
        f"{seconds:.1f} s"
    )
