"""The reference of a device's own speech: prior, running mean, bounded memory, bounded shift."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overtone_models.errors import ModelError
from overtone_models.reference import Reference, ReferenceSpec

SPEC = ReferenceSpec(mean=(1.0, -2.0, 0.5), prior_utterances=5.0, memory_utterances=20, max_norm=1e6)
VALUES = st.floats(-1e3, 1e3, width=32)
STREAMS = arrays(np.float32, st.tuples(st.integers(0, 20), st.just(3)), elements=VALUES)


def heard(spec: ReferenceSpec, stream: np.ndarray) -> Reference:
    reference = Reference(spec)
    for embedding in stream:
        reference.add(embedding)
    return reference


def test_before_anything_was_heard_nothing_is_shifted() -> None:
    reference = Reference(SPEC)
    count, mean = reference.state
    assert count == 0
    np.testing.assert_array_equal(reference.shift, np.zeros(3, np.float32))
    np.testing.assert_array_equal(mean, np.array(SPEC.mean, np.float32))


@settings(deadline=None)
@given(STREAMS)
def test_the_shift_takes_the_mean_of_prior_and_stream_to_the_priors(stream: np.ndarray) -> None:
    reference = heard(SPEC, stream)
    n = len(stream)
    running = (5.0 * np.array(SPEC.mean) + stream.sum(0, dtype=np.float64)) / (5.0 + n)
    np.testing.assert_allclose(reference.shift, np.array(SPEC.mean) - running, atol=1e-2, rtol=1e-5)
    assert reference.state[0] == n


@settings(deadline=None)
@given(st.integers(21, 200), arrays(np.float32, 3, elements=VALUES))
def test_what_was_heard_long_ago_fades(more: int, new: np.ndarray) -> None:
    reference = heard(SPEC, np.full((50, 3), 1000.0, np.float32))
    for _ in range(more):
        reference.add(new)
    count, mean = reference.state
    assert count == SPEC.memory_utterances
    left = (1.0 - 1.0 / SPEC.memory_utterances) ** more
    np.testing.assert_allclose(mean, new + left * (1000.0 - new), rtol=1e-3, atol=1e-2)


@settings(deadline=None)
@given(STREAMS)
def test_no_shift_is_longer_than_the_limit(stream: np.ndarray) -> None:
    reference = heard(replace(SPEC, max_norm=2.0), stream)
    assert np.linalg.norm(reference.shift) <= 2.0 * (1 + 1e-6)


@settings(deadline=None)
@given(STREAMS)
def test_a_stored_reference_goes_on_where_it_was(stream: np.ndarray) -> None:
    reference = heard(SPEC, stream)
    count, mean = reference.state
    again = Reference(SPEC, count=count, mean=mean)
    np.testing.assert_allclose(again.shift, reference.shift, atol=1e-3)
    assert again.state[0] == count


def test_an_embedding_that_is_not_finite_changes_nothing() -> None:
    reference = heard(SPEC, np.ones((3, 3), np.float32))
    before = reference.shift
    reference.add(np.array([1.0, np.nan, 0.0], np.float32))
    np.testing.assert_array_equal(reference.shift, before)


def test_a_specification_survives_json() -> None:
    again = ReferenceSpec.from_json(json.loads(json.dumps(SPEC.to_json())))
    assert again == SPEC
    assert again.digest == SPEC.digest
    assert replace(SPEC, prior_utterances=6.0).digest != SPEC.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": ()}, "all must be finite, at least 1"),
        ({"mean": (1.0, float("nan"))}, "all must be finite"),
        ({"prior_utterances": 0.0}, r"prior_utterances is 0\.0, limit is 0 < prior <= 10000"),
        ({"memory_utterances": 0}, r"memory_utterances is 0, limit is 1\.\.10000"),
        ({"max_norm": float("inf")}, "max_norm is inf, limit is a finite number above 0"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        replace(SPEC, **change)  # type: ignore[arg-type]


def test_what_is_not_a_reference_is_refused() -> None:
    with pytest.raises(ModelError, match="not a reference's specification"):
        ReferenceSpec.from_json({"mean": [1.0]})
    with pytest.raises(ModelError, match="a reference of 2 values does not fit a prior of 3"):
        Reference(SPEC, count=2.0, mean=(1.0, 2.0))
    with pytest.raises(ModelError, match="a reference of 3 values"):
        Reference(SPEC, count=2.0, mean=(1.0, 2.0, float("nan")))
