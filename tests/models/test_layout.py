"""Weights as one flat vector: where each tensor lies, and what does not fit."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_models.errors import LayoutError
from overtone_models.layout import Tensor, WeightLayout, weights_digest

SHAPES = st.lists(st.integers(1, 4), max_size=3).map(tuple)
LAYOUT = WeightLayout((Tensor("a", (2, 3)), Tensor("b", (4,)), Tensor("head/w", (2, 2), True), Tensor("c", (), True)))


@st.composite
def layouts(draw: st.DrawFn) -> WeightLayout:
    body, head = draw(st.lists(SHAPES, max_size=4)), draw(st.lists(SHAPES, min_size=1, max_size=3))
    tensors = [Tensor(f"body{i}", shape) for i, shape in enumerate(body)]
    return WeightLayout((*tensors, *(Tensor(f"head{i}", shape, head=True) for i, shape in enumerate(head))))


@given(layouts(), st.integers(0, 1000))
def test_flatten_and_unflatten_are_inverses(layout: WeightLayout, seed: int) -> None:
    rng = np.random.default_rng(seed)
    named = {t.name: rng.normal(size=t.shape).astype(np.float32) for t in layout.tensors}
    vector = layout.flatten(named)
    assert vector.shape == (layout.size,)
    assert vector.dtype == np.float32
    back = layout.unflatten(vector)
    assert list(back) == [t.name for t in layout.tensors]
    for name, value in named.items():
        np.testing.assert_array_equal(back[name], value)
    np.testing.assert_array_equal(layout.flatten(back), vector)


@given(layouts())
def test_json_gives_the_same_layout_and_digest(layout: WeightLayout) -> None:
    back = WeightLayout.from_json(json.loads(json.dumps(layout.to_json())))
    assert back == layout
    assert back.digest == layout.digest


@given(layouts())
def test_head_is_the_end_of_the_vector(layout: WeightLayout) -> None:
    places = layout.slices()
    heads = [places[t.name] for t in layout.tensors if t.head]
    assert layout.head_slice == slice(heads[0].start, layout.size)
    assert layout.scope_slice("head") == layout.head_slice
    assert layout.scope_slice("full") == slice(0, layout.size)


def test_digest_changes_with_name_shape_order_and_head() -> None:
    a, b, c = Tensor("a", (2, 3)), Tensor("b", (6,)), Tensor("c", (2,), True)
    variants = [
        (a, b, c),
        (b, a, c),
        (Tensor("x", (2, 3)), b, c),
        (Tensor("a", (3, 2)), b, c),
        (a, Tensor("b", (6,), True), c),
    ]
    assert len({WeightLayout(tensors).digest for tensors in variants}) == len(variants)


@pytest.mark.parametrize(
    "tensors",
    [
        (),
        (Tensor("a", (2,)),),
        (Tensor("h", (2,), True), Tensor("a", (2,))),
        (Tensor("a", (1,)), Tensor("a", (1,), True)),
    ],
    ids=["nothing", "no head", "head first", "one name twice"],
)
def test_layouts_that_cannot_be(tensors: tuple[Tensor, ...]) -> None:
    with pytest.raises(LayoutError):
        WeightLayout(tensors)


def test_unknown_scope() -> None:
    with pytest.raises(LayoutError, match="unknown scope 'tail'; scopes are head, full"):
        LAYOUT.scope_slice("tail")


def test_flatten_names_what_is_missing_extra_or_misshapen() -> None:
    named = {t.name: np.zeros(t.shape, np.float32) for t in LAYOUT.tensors}
    with pytest.raises(LayoutError, match=r"lack \['b'\] or add \['x'\]"):
        LAYOUT.flatten({**{k: v for k, v in named.items() if k != "b"}, "x": named["b"]})
    with pytest.raises(LayoutError, match=r"tensor a has shape \(3, 2\), the layout says \(2, 3\)"):
        LAYOUT.flatten({**named, "a": np.zeros((3, 2), np.float32)})


@pytest.mark.parametrize(
    "vector",
    [np.zeros(14, np.float32), np.zeros(15), np.zeros((15, 1), np.float32), np.full(15, np.nan, np.float32)],
    ids=["short", "float64", "two dimensions", "NaN"],
)
def test_vectors_that_do_not_fit(vector: np.ndarray) -> None:
    with pytest.raises(LayoutError):
        LAYOUT.unflatten(vector)


@pytest.mark.parametrize("data", [{}, {"tensors": [{}]}, {"tensors": 5}, {"tensors": [{"name": "a", "shape": 3}]}])
def test_json_that_is_no_layout(data: dict[str, object]) -> None:
    with pytest.raises(LayoutError):
        WeightLayout.from_json(data)


def test_digest_of_weights_is_of_their_bits() -> None:
    vector = np.array([0.0, 1.0], np.float32)
    assert weights_digest(vector) == weights_digest(vector.astype(">f4"))
    assert weights_digest(vector) != weights_digest(np.array([-0.0, 1.0], np.float32))
