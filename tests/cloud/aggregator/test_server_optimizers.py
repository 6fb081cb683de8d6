"""Server optimisers: momentum by hand, Adam against Keras' own on the negated mean update."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_cloud.aggregator.server_optimizers import ServerAdam, ServerSgd, server_optimizer


def test_adam_is_keras_adam_on_the_negated_mean() -> None:
    from overtone_models.networks import tf

    rng = np.random.default_rng(0)
    weights = rng.normal(size=50).astype(np.float32)
    ours = ServerAdam(learning_rate=0.01, epsilon=1e-7)
    state = ours.init(50)
    keras, variable = tf.keras.optimizers.Adam(0.01), tf.Variable(weights)
    for _ in range(5):
        mean = rng.normal(size=50)
        weights, state = ours.apply(weights, mean, state)
        keras.apply_gradients([(tf.constant(-mean, tf.float32), variable)])
    np.testing.assert_allclose(weights, variable.numpy(), atol=1e-6)
    assert state is not None and state[-1] == 5


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_arguments_stay_as_they_are(name: str) -> None:
    ours = server_optimizer(name, learning_rate=0.1, momentum=0.9 if name == "sgd" else 0.0, epsilon=1e-3)
    base, mean = np.ones(3, np.float32), np.ones(3)
    _, state = ours.apply(base, mean, ours.init(3))
    assert state is not None
    before = state.copy()
    ours.apply(base, mean, state)
    assert np.array_equal(state, before) and base.tolist() == mean.tolist() == [1.0, 1.0, 1.0]


@given(seed=st.integers(0, 1000), rate=st.floats(0.1, 2.0), momentum=st.floats(0.0, 0.99))
def test_sgd_is_the_published_step_to_the_bit(seed: int, rate: float, momentum: float) -> None:
    """An aggregator that goes on with an old database must come to the very same weights."""
    rng = np.random.default_rng(seed)
    base, means, velocity = rng.normal(size=9).astype(np.float32), rng.normal(size=(3, 9)), None
    ours, state, weights = ServerSgd(learning_rate=rate, momentum=momentum), None, base
    for mean in means:
        velocity = mean if velocity is None else momentum * velocity + mean
        base = (base.astype(np.float64) + rate * velocity).astype(np.float32)
        weights, state = ours.apply(weights, mean, state)
        assert np.array_equal(weights, base)
        assert np.array_equal(state, velocity) if momentum else state is None


def test_a_head_only_mean_leaves_the_body_alone() -> None:
    for ours in (ServerSgd(momentum=0.9), ServerAdam(learning_rate=0.1, epsilon=1e-3)):
        weights, state = np.ones(4, np.float32), ours.init(4)
        for _ in range(3):
            weights, state = ours.apply(weights, np.array([0.0, 0.0, 1.0, -1.0]), state)
        assert weights[:2].tolist() == [1.0, 1.0] and weights[2] > 1.0 > weights[3]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown server optimiser 'lamb'; there are sgd, adam"):
        server_optimizer("lamb", learning_rate=0.1, epsilon=1e-3)
    adam = ServerAdam(learning_rate=0.1, epsilon=1e-3)
    with pytest.raises(ValueError, match=r"moments have shape \(7,\), which does not fit weights of shape \(2,\)"):
        adam.apply(np.zeros(2, np.float32), np.zeros(2), adam.init(3))
    with pytest.raises(ValueError, match=r"moments have shape None, which does not fit"):
        adam.apply(np.zeros(2, np.float32), np.zeros(2), None)
    with pytest.raises(ValueError, match=r"velocity has shape \(3,\), which does not fit weights of shape \(2,\)"):
        ServerSgd(momentum=0.5).apply(np.zeros(2, np.float32), np.zeros(2), np.zeros(3))
