"""System B's networks: the paper's sizes, and what their parameters add up to."""

from typing import Any

import numpy as np
import pytest

from overtone_models.networks import papers, tf
from overtone_models.networks.papers import valence
from overtone_models.networks.papers.valence import NETWORKS, SHAPES, TASKS, Shape, discriminator, generator

SMALL = Shape(width=32, rows=32, kernel=3, filters=4, dense=8, noise=6)


def convolutions(shape: Shape) -> int:
    first = shape.kernel**2 * shape.filters + shape.filters
    others = shape.kernel**2 * shape.filters**2 + shape.filters
    return first + 3 * others


def dense(shape: Shape) -> int:
    flat = (shape.rows // 16) * (shape.width // 16) * shape.filters
    return flat * shape.dense + shape.dense


@pytest.mark.parametrize(
    ("name", "width", "kernel", "filters"),
    [
        ("b-basic-cnn", 128, 15, 84),
        ("b-multitask-cnn", 64, 8, 32),
        ("b-basic-dcgan", 128, 9, 72),
        ("b-multitask-dcgan", 64, 6, 88),
    ],
)
def test_sizes_are_those_of_table_1(name: str, width: int, kernel: int, filters: int) -> None:
    shape = SHAPES[name]
    assert (shape.width, shape.kernel, shape.filters, shape.rows) == (width, kernel, filters, 128)
    model = NETWORKS[name]()
    assert model.input_shape == (None, 128, width, 1)
    convs = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    assert [layer.output.shape[1:3] for layer in convs] == [(128 // 2**i, width // 2**i) for i in (1, 2, 3, 4)]
    assert not any("pool" in type(layer).__name__.lower() for layer in model.layers)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("b-basic-cnn", 5_470_937),
        ("b-multitask-cnn", 330_629),
        ("b-basic-dcgan", 1_856_429),
        ("b-multitask-dcgan", 1_201_093),
    ],
)
def test_parameters_follow_from_table_1(name: str, parameters: int) -> None:
    shape, head = SHAPES[name], 128 * 5 + 5
    assert NETWORKS[name]().count_params() == convolutions(shape) + dense(shape) + head == parameters


def test_tasks_add_their_heads_alone() -> None:
    for name, tasks in TASKS.items():
        shape = SHAPES[name]
        flat = int(np.prod(shape.last))
        more = tasks.activation * (128 * 5 + 5) + tasks.real * (flat + 1)
        assert discriminator(shape, tasks).count_params() == NETWORKS[name]().count_params() + more


def test_network_ends_in_a_dense_head_on_the_fully_connected_layer() -> None:
    model = papers.build("b-multitask-dcgan", width=64, kernel=2, filters=4)
    head = model.layers[-1]
    assert head.name == "head"
    assert isinstance(head, tf.keras.layers.Dense)
    assert head.activation.__name__ == "linear"
    assert head.input is model.get_layer("embedding").output


def test_generator_mirrors_the_discriminator() -> None:
    model: Any = generator(SMALL)
    x = model(np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)).numpy()
    assert x.shape == (3, 32, 32, 1)
    assert np.abs(x).max() <= 1.0
    assert sum(isinstance(layer, tf.keras.layers.Conv2DTranspose) for layer in model.layers) == valence.CONVOLUTIONS


def test_valence_network_shares_the_discriminators_weights() -> None:
    whole = discriminator(SMALL, TASKS["b-multitask-dcgan"])
    part = valence.valence_network(whole)
    x = np.random.default_rng(1).normal(size=(2, 32, 32, 1)).astype(np.float32)
    assert np.array_equal(whole(x)["valence"], part(x))
    assert {name: out.shape[1] for name, out in whole(x).items()} == {"valence": 5, "activation": 5, "real": 1}


def test_multiply_adds_count_the_convolutions() -> None:
    shape = Shape(width=16, rows=16, kernel=3, filters=2)
    by_hand = 9 * (64 * 1 * 2 + 16 * 2 * 2 + 4 * 2 * 2 + 1 * 2 * 2)
    assert shape.multiply_adds == by_hand


def test_a_crop_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="128 x 100"):
        Shape(width=100, kernel=3, filters=4)
