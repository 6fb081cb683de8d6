"""Federated training on the product's round engine, against a plain loop that reads like the paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from overtone_cloud.errors import TrainingError
from overtone_models.networks import papers, tf
from overtone_papers.federated.federation import ClientData, Plan, orders
from overtone_papers.federated.own_engine import run_rounds

Make = Callable[..., Any]


def no_log(_line: str) -> None: ...


def plain_loop(plan: Plan, data: ClientData, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Federated averaging with plain gradient steps, written out."""
    model = papers.build(plan.network, **plan.network_options)
    base = [w.astype(np.float64) for w in weights]
    every = orders(plan, data)
    for number in range(plan.rounds):
        total = [np.zeros_like(w) for w in base]
        for order in every:
            model.set_weights([w.astype(np.float32) for w in base])
            for rows in order[number]:
                for start in range(0, len(rows), plan.batch):
                    batch = rows[start : start + plan.batch]
                    with tf.GradientTape() as tape:
                        logits = model(data.x[batch], training=True)
                        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(data.y[batch], logits)
                        loss = tf.reduce_mean(losses)
                    for variable, gradient in zip(
                        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
                    ):
                        variable.assign_sub(plan.client.learning_rate * gradient)
            share = order.shape[2] / 90
            moved = [after - before for after, before in zip(model.get_weights(), base, strict=True)]
            total = [t + share * m for t, m in zip(total, moved, strict=True)]
        base = [w + plan.server.learning_rate * t for w, t in zip(base, total, strict=True)]
    return base


def test_equals_the_plain_loop(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 0.05, 1.0, rounds=2)
    outcome = run_rounds(plan, data, weights, log=no_log, name="small")
    for ours, plain in zip(outcome.weights, plain_loop(plan, data, weights), strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-6)


def test_adam_learns_and_every_round_is_reported(make_plan: Make) -> None:
    plan, data, weights = make_plan("adam", 3e-3, 1e-2, rounds=8)
    lines: list[str] = []
    outcome = run_rounds(plan, data, weights, log=lines.append, name="small")
    assert len(lines) == len(outcome.rounds) == 8 and {len(curve) for curve in outcome.curves.values()} == {8}
    assert lines[0].startswith("small: round 1 of 8, training loss ")
    assert outcome.rounds[-1].loss < outcome.rounds[0].loss and outcome.curves["val_accuracy"][-1] > 0.5


def test_the_same_seed_gives_the_same_weights(make_plan: Make) -> None:
    plan, data, weights = make_plan("adam", 1e-3, 1e-2, rounds=2)
    first, again = (run_rounds(plan, data, weights, log=no_log, name="small") for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, again.weights, strict=True))


def test_one_client_is_enough_and_none_is_not(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 0.05, 1.0, rounds=1)
    alone = ClientData(x=data.x, y=data.y, clients=[np.arange(90)])
    assert run_rounds(plan, alone, weights, log=no_log, name="alone").curves["val_accuracy"] == []
    with pytest.raises(TrainingError, match="client 2 has no utterance"):
        ClientData(x=data.x, y=data.y, clients=[np.arange(3), np.arange(0)])
    with pytest.raises(TrainingError, match="there are no clients"):
        ClientData(x=data.x, y=data.y, clients=[])


def test_infinite_weights_end_the_training(make_plan: Make) -> None:
    plan, data, weights = make_plan("sgd", 1e30, 1.0, rounds=2)
    with pytest.raises(TrainingError, match="lower the learning rate"):
        run_rounds(plan, data, weights, log=no_log, name="wild")
