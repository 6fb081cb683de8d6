"""System E's networks: the paper's parameter counts, shapes, heads and options."""

import numpy as np
import pytest

from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_models.networks.papers.ensembles import NETWORKS, PARAMETERS, meta

SINGLE = [name for name in NETWORKS if name != "e-stacking"]


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_parameters_are_the_papers(name):
    assert build(name).count_params() == PARAMETERS[name]


def test_published_counts_stand_in_the_table():
    assert PARAMETERS["e-cnn2d-lstm"] == 3_800_855
    assert PARAMETERS["e-cnn1d-lstm"] == 60_055
    assert round(PARAMETERS["e-cnn-transformer"] / 1e6, 1) == 2.1
    # two classifiers of 48 inputs become one of 96, which has one bias for two
    assert PARAMETERS["e-fused"] == PARAMETERS["e-cnn2d-lstm"] + PARAMETERS["e-cnn1d-lstm"] - 7


@pytest.mark.parametrize("name", SINGLE)
def test_last_layer_is_a_head_that_gives_logits(name):
    model = build(name)
    head = model.layers[-1]
    assert head.name == "head"
    assert head.activation is tf.keras.activations.linear
    assert model.output_shape == (None, 7)
    shapes = [tuple(given.shape[1:]) for given in model.inputs]
    assert shapes == {"e-fused": [(128, 251, 1), (180, 1)]}.get(name, [(180, 1) if "1d" in name else (128, 251, 1)])


@pytest.mark.parametrize("name", SINGLE)
def test_a_binary_network_has_one_logit(name):
    assert build(name, classes=1).output_shape == (None, 1)


def test_sequence_axis_is_mel_as_published_or_time():
    published, other = build("e-cnn2d-lstm"), build("e-cnn2d-lstm", axis="time")
    assert published.get_layer("lstm").input.shape[1:] == (12, 27 * 256)
    assert other.get_layer("lstm").input.shape[1:] == (27, 12 * 256)
    assert build("e-lstm-cnn-2d", axis="time").get_layer("lstm").input.shape[1:] == (251, 128)


def test_unknown_axis_is_refused():
    with pytest.raises(ValueError, match="axis is 'pitch', there are mel, time"):
        build("e-cnn2d-lstm", axis="pitch")


def test_only_the_used_means_matter():
    model = build("e-cnn1d-lstm", used=40)
    x = np.random.default_rng(0).normal(size=(2, 180, 1)).astype(np.float32)
    other = x.copy()
    other[:, 40:] = 7.0
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(other, verbose=0))


def test_more_means_than_there_are_is_refused():
    with pytest.raises(ValueError, match="181 of 180 means"):
        build("e-cnn1d-lstm", used=181)


@pytest.mark.parametrize("name", ["e-cnn1d-lstm", "e-lstm-cnn-1d"])
def test_written_out_steps_give_the_same(name):
    loop, unrolled = build(name), build(name, unroll=True)
    unrolled.set_weights(loop.get_weights())
    x = np.random.default_rng(1).normal(size=(2, 180, 1)).astype(np.float32)
    np.testing.assert_allclose(loop.predict(x, verbose=0), unrolled.predict(x, verbose=0), atol=1e-5)


def test_stacking_is_seven_frozen_networks_and_a_perceptron():
    model = build("e-stacking", base="e-cnn1d-lstm")
    binary = build("e-cnn1d-lstm", classes=1).count_params()
    perceptron = meta().count_params()
    assert perceptron == 7 * 512 + 512 + 512 * 7 + 7
    assert model.count_params() == 7 * binary + perceptron
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == perceptron


def test_stacking_is_its_parts_put_together():
    model, perceptron = build("e-stacking", base="e-cnn1d-lstm"), meta()
    x = np.random.default_rng(2).normal(size=(3, 180, 1)).astype(np.float32)
    logits = [model.get_layer(f"binary{k}").predict(x, verbose=0) for k in range(7)]
    for name in ("embedding", "head"):
        perceptron.get_layer(name).set_weights(model.get_layer(name).get_weights())
    expected = perceptron.predict(1 / (1 + np.exp(-np.concatenate(logits, 1))), verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


def test_a_seed_gives_the_same_first_weights():
    made = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(5)
        made.append(build("e-cnn1d-lstm").get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*made, strict=True))
