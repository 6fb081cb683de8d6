"""Paper C's network has the paper's parameters and gives logits."""

import numpy as np
import pytest

from overtone_models.networks import papers, tf


@pytest.fixture(scope="module")
def network() -> object:
    return papers.build("c-lstm")


def test_parameters_are_those_of_the_paper(network: "tf.keras.Model") -> None:
    assert network.count_params() == 305_799
    counts = {layer.name: layer.count_params() for layer in network.layers if layer.count_params()}
    assert counts == {"lstm": 264_192, "wide": 32_896, "narrow": 8_256, "head": 455}


def test_it_reads_40_steps_of_one_value_and_ends_in_logits(network: "tf.keras.Model") -> None:
    assert network.input_shape == (None, 40, 1)
    head = network.get_layer("head")
    assert head is network.layers[-1]
    assert head.activation is tf.keras.activations.linear
    x = np.random.default_rng(0).normal(0, 30, (3, 40, 1)).astype(np.float32)
    logits = network.predict(x, verbose=0)
    assert logits.shape == (3, 7)
    assert not np.allclose(logits.sum(1), 1)


def test_other_classes_change_the_head_alone() -> None:
    assert papers.build("c-lstm", classes=8).count_params() == 305_799 + 65
