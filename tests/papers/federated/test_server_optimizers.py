"""The server's Adam against Keras' own on the negated mean update."""

import numpy as np
import pytest

from overtone_cloud.aggregator.averaging import fed_avg
from overtone_models.networks import tf
from overtone_papers.federated.server_optimizers import server_optimizer


def test_adam_is_keras_adam_on_the_negated_mean() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=50).astype(np.float32)
    ours = server_optimizer("adam", 0.01)
    state = ours.init(50)
    keras, variable = tf.keras.optimizers.Adam(0.01), tf.Variable(weights)
    for _ in range(5):
        mean = rng.normal(size=50)
        weights, state = ours.apply(weights, mean, state)
        keras.apply_gradients([(tf.constant(-mean, tf.float32), variable)])
    np.testing.assert_allclose(weights, variable.numpy(), atol=1e-6)
    assert state.step == 5


def test_adam_leaves_what_it_is_given_alone() -> None:
    ours, base, mean = server_optimizer("adam", 0.1), np.ones(3, np.float32), np.ones(3)
    first = ours.init(3)
    ours.apply(base, mean, first)
    assert first.step == 0 and not first.first.any() and base.tolist() == [1.0, 1.0, 1.0]


def test_sgd_is_federated_averaging() -> None:
    base = np.zeros(2, np.float32)
    weights, _ = server_optimizer("sgd", 1.0).apply(base, np.array([1.0, -2.0]), None)
    assert np.array_equal(weights, fed_avg(base, [np.array([1.0, -2.0], np.float32)], [7], 1.0))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown server optimiser 'lamb'; there are sgd, adam"):
        server_optimizer("lamb", 0.1)
    ours = server_optimizer("adam", 0.1)
    with pytest.raises(ValueError, match=r"moments have shape \(3,\), weights have \(2,\)"):
        ours.apply(np.zeros(2, np.float32), np.zeros(2), ours.init(3))
