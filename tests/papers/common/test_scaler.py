"""Scalers are fitted on training rows, leave constants finite, and change nothing where none is asked for."""

import numpy as np

from overtone_papers.common.data import Scaler


def test_features_of_sequences_get_mean_zero_and_deviation_one() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(50, 10, 4)).astype(np.float32)
    scaled = Scaler.fit(x, (0, 1))(x)
    np.testing.assert_allclose(scaled.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std((0, 1)), 1, atol=1e-4)
    assert np.array_equal(Scaler.none((1, 4))(x), x)


def test_a_constant_stays_finite() -> None:
    x = np.full((5, 3), 7.0, np.float32)
    assert np.array_equal(Scaler.fit(x)(x), np.zeros_like(x))
    assert Scaler.fit(x, floor=1e-3, below=1.0).std.tolist() == [1.0, 1.0, 1.0]
