"""Server optimisers of federated learning: FedAvg, FedAvgM and FedAdam.

They take the negated mean update as the gradient (Reddi et al., 2021) and are pure: the caller carries the state
from round to round. The aggregator stores it with each release, the published federated system holds it in
memory; a state is therefore one flat float64 vector, or None before the first round.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from overtone_cloud.aggregator.averaging import F32, F64

State = F64 | None


class ServerOptimizer(Protocol):
    """One step on the server per round, over `(n,)` weights."""

    def init(self, size: int) -> State:
        """Return the state before the first round, for `(size,)` weights."""
        ...

    def fits(self, state: State, size: int) -> bool:
        """Return whether a stored state belongs to this optimiser and to `(size,)` weights."""
        ...

    def apply(self, base: F32, mean: F64, state: State) -> tuple[F32, State]:
        """Return the new `(n,)` weights and state; raises ValueError where the state does not fit."""
        ...


@dataclass(frozen=True, kw_only=True)
class ServerSgd:
    """Federated averaging (McMahan et al., 2017); with momentum FedAvgM (Hsu et al., 2019).

    The state is the velocity `(n,)`; None without momentum.
    """

    learning_rate: float = 1.0
    momentum: float = 0.0

    def init(self, size: int) -> State:
        """Return None: the first round's velocity is its mean update."""
        return None

    def fits(self, state: State, size: int) -> bool:
        """Return whether the velocity has the weights' size."""
        return state is None or state.shape == (size,)

    def apply(self, base: F32, mean: F64, state: State) -> tuple[F32, State]:
        """Return `base + learning_rate * velocity` with `velocity = momentum * velocity + mean`."""
        if not self.fits(state, base.size):
            raise _misfit("the velocity has", state, base)
        velocity = mean if state is None else self.momentum * state + mean
        weights = base.astype(np.float64) + self.learning_rate * velocity
        return weights.astype(np.float32), velocity if self.momentum else None


@dataclass(frozen=True, kw_only=True)
class ServerAdam:
    """FedAdam: Adam (Kingma and Ba, 2015) on the mean update, bias-corrected.

    The state `(2n + 1,)` holds the running means of the update and of its square, and the number of steps. A large
    `epsilon` lets small updates stay small (Reddi et al., 2021, take 1e-3).
    """

    learning_rate: float
    epsilon: float
    beta_1: float = 0.9
    beta_2: float = 0.999

    def init(self, size: int) -> State:
        """Return zero moments and no step."""
        return np.zeros(2 * size + 1)

    def fits(self, state: State, size: int) -> bool:
        """Return whether the moments have the weights' size."""
        return state is not None and state.shape == (2 * size + 1,)

    def apply(self, base: F32, mean: F64, state: State) -> tuple[F32, State]:
        """Return the weights one Adam step along `mean`, and the moments after it."""
        if state is None or not self.fits(state, base.size):
            raise _misfit("Adam's moments have", state, base)
        first, second, step = state[: base.size], state[base.size : -1], state[-1] + 1.0
        first = first + (1.0 - self.beta_1) * (mean - first)
        second = second + (1.0 - self.beta_2) * (np.square(mean) - second)
        rate = self.learning_rate * np.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        weights = base.astype(np.float64) + rate * first / (np.sqrt(second) + self.epsilon)
        return weights.astype(np.float32), np.concatenate([first, second, [step]])


def _sgd(learning_rate: float, momentum: float, _epsilon: float) -> ServerOptimizer:
    return ServerSgd(learning_rate=learning_rate, momentum=momentum)


def _adam(learning_rate: float, momentum: float, epsilon: float) -> ServerOptimizer:
    if momentum or learning_rate >= 1:
        raise ValueError('optimizer "adam" needs a learning_rate below 1, about 0.01, and takes no momentum')
    return ServerAdam(learning_rate=learning_rate, epsilon=epsilon)


OPTIMIZERS: dict[str, Callable[[float, float, float], ServerOptimizer]] = {"sgd": _sgd, "adam": _adam}
"""Factories by name, of learning rate, momentum and epsilon; they raise ValueError for settings that conflict."""


def server_optimizer(name: str, *, learning_rate: float, momentum: float = 0.0, epsilon: float) -> ServerOptimizer:
    """Return the optimiser called `name`; raise ValueError for an unknown one."""
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer is {name!r}, it must be one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name](learning_rate, momentum, epsilon)


def _misfit(what: str, state: State, base: F32) -> ValueError:
    shape = None if state is None else state.shape
    return ValueError(f"{what} shape {shape}, which does not fit weights of shape {base.shape}")
