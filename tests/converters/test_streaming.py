"""The listening file: int8, one hop at a time, the offline network's answers."""

import numpy as np
import pytest
from tests.support.tiny_models import tiny_model

from overtone_converters.errors import ConversionError
from overtone_converters.streaming import streaming_model
from overtone_converters.verify import streaming_probabilities
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.runtime import StreamingNetwork
from overtone_models.bundle import Bundle
from overtone_models.networks import edge_tcn, tf


def hops(network: StreamingNetwork, frames: np.ndarray) -> np.ndarray:
    size = network.hop_frames
    return np.stack([network.process(frames[i : i + size]) for i in range(0, len(frames) - size + 1, size)])


def offline(bundle: Bundle, frames: np.ndarray) -> np.ndarray:
    spec = bundle.manifest.network
    tensors = {n: tf.constant(v) for n, v in spec.layout.unflatten(bundle.weights).items()}
    states = [tf.constant(s) for s in edge_tcn.zero_states(spec)]
    return edge_tcn.body(spec, tensors, tf.constant(frames[None]), states)[0][0].numpy()


@pytest.fixture
def frames(bundle: Bundle) -> np.ndarray:
    """40 hops like those that the int8 ranges were set with."""
    from overtone_models.front_end import mfcc

    clip = (0.1 * np.random.default_rng(8).normal(size=64_600)).astype(np.float32)
    return bundle.standardise(mfcc(clip, bundle.manifest.front_end))[:400]


def test_int8_hop_by_hop_is_near_the_offline_network(bundle: Bundle, frames: np.ndarray) -> None:
    got, expected = hops(StreamingNetwork(bundle.streaming_model), frames), offline(bundle, frames)
    assert got.shape == expected.shape
    assert np.sqrt(np.square(got - expected).mean()) < 0.04 * np.sqrt(np.square(expected).mean())


def test_states_carry_over_and_reset_forgets_them(bundle: Bundle, frames: np.ndarray) -> None:
    network = StreamingNetwork(bundle.streaming_model)
    first = hops(network, frames)
    second = hops(network, frames)
    assert not np.array_equal(first[0], second[0])
    network.reset()
    np.testing.assert_array_equal(hops(network, frames), first)


def test_two_streams_do_not_share_their_states(bundle: Bundle, frames: np.ndarray) -> None:
    one, two = StreamingNetwork(bundle.streaming_model), StreamingNetwork(bundle.streaming_model)
    expected = hops(one, frames)
    one.reset()
    size = one.hop_frames
    for index in range(10):
        two.process(frames[-size:])
        np.testing.assert_array_equal(one.process(frames[index * size : (index + 1) * size]), expected[index])


def test_weights_are_int8_and_the_file_small(bundle: Bundle) -> None:
    assert len(bundle.streaming_model) < 40_000
    from ai_edge_litert.interpreter import Interpreter

    kinds = [t["dtype"] for t in Interpreter(model_content=bundle.streaming_model).get_tensor_details()]
    # float32 is left at the edges only: frames, hop and states, in and out.
    edges = 2 * (2 + len(bundle.manifest.network.state_shapes))
    assert sum(kind == np.float32 for kind in kinds) <= edges
    assert sum(kind == np.int8 for kind in kinds) > edges


@pytest.mark.parametrize("shape", [(9, 40), (10, 39), (1, 10, 40), (400,)])
def test_hops_of_another_shape_are_refused(bundle: Bundle, shape: tuple[int, ...]) -> None:
    with pytest.raises(InferenceError, match=r"a hop has shape .*, the model takes \(10, 40\)"):
        StreamingNetwork(bundle.streaming_model).process(np.zeros(shape, np.float32))


def test_hops_of_another_kind_are_refused(bundle: Bundle) -> None:
    with pytest.raises(InferenceError, match="frames is float64"):
        StreamingNetwork(bundle.streaming_model).process(np.zeros((10, 40)))


def test_conversion_needs_one_hop_to_calibrate_with() -> None:
    model = tiny_model()
    for calibration in ([], [np.zeros((9, 40), np.float32)]):
        with pytest.raises(ConversionError, match="no calibration utterance has one hop of 10 frames"):
            streaming_model(model.network, model.weights, calibration)


def test_decisions_are_those_of_whole_utterances(bundle: Bundle) -> None:
    rng = np.random.default_rng(0)
    clips = [(20 * rng.normal(size=(n, 40))).astype(np.float32) for n in (30, 55, 10, 71)]
    found = streaming_probabilities(bundle, clips)
    assert found.shape == (4, 4)
    alone = [streaming_probabilities(bundle, [clip])[0] for clip in clips]
    np.testing.assert_allclose(found, alone, atol=1e-6)
