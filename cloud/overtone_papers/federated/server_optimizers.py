"""Server optimisers: the mean of the clients' updates in, new weights and new state out.

The negated mean update stands for the gradient (Reddi et al., 2021). `init` and `apply` are pure: the state
is handed from round to round by whoever runs the rounds.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from overtone_cloud.aggregator.averaging import F32, F64, server_step

Kind = Literal["sgd", "adam"]
KINDS: tuple[Kind, ...] = ("sgd", "adam")


class ServerOptimizer(Protocol):
    """What a round's end needs."""

    def init(self, size: int) -> Any:
        """Return the state before the first round, for `(size,)` weights."""

    def apply(self, base: F32, mean: F64, state: Any) -> tuple[F32, Any]:
        """Return the new `(size,)` weights and the new state."""


@dataclass(frozen=True, kw_only=True)
class ServerSgd:
    """Federated averaging itself at learning rate 1 (McMahan et al., 2017)."""

    learning_rate: float = 1.0

    def init(self, size: int) -> None:
        """Return no state."""

    def apply(self, base: F32, mean: F64, state: None) -> tuple[F32, None]:
        """Return `base + learning_rate * mean`."""
        weights, _ = server_step(base, mean, None, learning_rate=self.learning_rate, momentum=0.0)
        return weights, state


@dataclass(frozen=True)
class AdamState:
    """Rounds so far and the `(size,)` running means of update and squared update."""

    step: int
    first: F64
    second: F64


@dataclass(frozen=True, kw_only=True)
class ServerAdam:
    """FedAdam: Adam (Kingma and Ba, 2015) on the mean update, bias-corrected."""

    learning_rate: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def init(self, size: int) -> AdamState:
        """Return zero moments."""
        return AdamState(0, np.zeros(size), np.zeros(size))

    def apply(self, base: F32, mean: F64, state: AdamState) -> tuple[F32, AdamState]:
        """Return the weights one Adam step along `mean`, and the moments after it."""
        if state.first.shape != base.shape:
            raise ValueError(f"Adam's moments have shape {state.first.shape}, weights have {base.shape}")
        step = state.step + 1
        first = state.first + (1.0 - self.beta_1) * (mean - state.first)
        second = state.second + (1.0 - self.beta_2) * (np.square(mean) - state.second)
        rate = self.learning_rate * np.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        weights = base.astype(np.float64) + rate * first / (np.sqrt(second) + self.epsilon)
        return weights.astype(np.float32), AdamState(step, first, second)


def server_optimizer(kind: str, learning_rate: float, epsilon: float = 1e-7) -> ServerOptimizer:
    """Return the optimiser called `kind`; raise ValueError for an unknown one."""
    if kind not in KINDS:
        raise ValueError(f"unknown server optimiser {kind!r}; there are {', '.join(KINDS)}")
    if kind == "sgd":
        return ServerSgd(learning_rate=learning_rate)
    return ServerAdam(learning_rate=learning_rate, epsilon=epsilon)
