"""Fixtures: small federated trainings that several tests run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from overtone_models.networks import papers
from overtone_papers.common import fitting
from overtone_papers.federated.federation import ClientData, OptimizerChoice, Plan

SMALL = {"windows": 16, "features": 6, "filters": [8, 8], "width": 12, "dropout": 0.0}


def make(
    kind: str, client_rate: float, server_rate: float, *, options: dict[str, Any] = SMALL, **changes: Any
) -> tuple[Plan, ClientData, list[np.ndarray]]:
    """Return a plan for a-conv, 90 examples of three unequal clients, and first weights."""
    fitting.seed_all(0)
    model = papers.build("a-conv", **options)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 90)
    x = (rng.normal(size=(90, *model.input_shape[1:])) + 0.4 * y[:, None, None]).astype(np.float32)
    settings: dict[str, Any] = {"rounds": 5, "batch": 10, "local_epochs": 2} | changes
    plan = Plan(
        network="a-conv",
        network_options=options,
        client=OptimizerChoice(kind=kind, learning_rate=client_rate),
        server=OptimizerChoice(kind=kind, learning_rate=server_rate),
        **settings,
    )
    clients = np.split(np.arange(90), [15, 38])
    return plan, ClientData(x=x, y=y, clients=clients, watched=(x, y)), model.get_weights()


@pytest.fixture
def make_plan() -> Callable[..., tuple[Plan, ClientData, list[np.ndarray]]]:
    """Return a function: optimiser, client rate, server rate -> plan, data and first weights."""
    return make
