"""What an edge network is, without TensorFlow."""

import json

import pytest

from overtone_models.errors import ModelError
from overtone_models.front_end import EDGE_FRONT_END
from overtone_models.network_spec import SIZES, EdgeTcnSpec, edge_tcn


@pytest.mark.parametrize("size", SIZES)
def test_sizes_grow_and_keep_the_head_last(size: str) -> None:
    spec = edge_tcn(size, n_features=40, n_classes=8)
    assert spec.hop_frames == EDGE_FRONT_END.block_frames
    assert spec.hop_frames * EDGE_FRONT_END.hop_s == pytest.approx(0.1)
    assert [t.name for t in spec.layout.tensors if t.head] == ["head/w", "head/b"]
    assert spec.layout.head_slice.start == spec.layout.size - spec.embedding_size * 8 - 8
    assert len(spec.state_shapes) == sum(1 for c in spec.convolutions if c.past)


def test_sizes_are_ordered_by_weights_and_cost() -> None:
    specs = [edge_tcn(size, n_features=40, n_classes=8) for size in "SML"]
    assert sorted(specs, key=lambda s: s.layout.size) == specs
    assert sorted(specs, key=lambda s: s.multiply_adds(300)) == specs


def test_unknown_size() -> None:
    with pytest.raises(ModelError, match="unknown size 'XL'; sizes are S, M, L"):
        edge_tcn("XL", n_features=40, n_classes=8)


def test_multiply_adds_counted_by_hand() -> None:
    spec = EdgeTcnSpec(n_features=3, n_classes=2, channels=4, kernel=3, dilations=(1, 2), stem_kernel=4, hop_frames=2)
    step = 4 * 3 * 4 + 2 * (3 * 4 + 4 * 4)
    assert spec.multiply_adds(20) == 10 * step + 8 * 2
    dense = EdgeTcnSpec(n_features=3, n_classes=2, channels=4, kernel=3, dilations=(1,), separable=False, hop_frames=2)
    assert dense.multiply_adds(2) == 4 * 3 * 4 + 3 * 4 * 4 + 8 * 2


def test_a_longer_stride_takes_fewer_steps() -> None:
    spec = EdgeTcnSpec(n_features=3, n_classes=2, channels=4, kernel=3, dilations=(1,), stem_kernel=10, stem_stride=5)
    assert spec.hop_steps == 2
    assert spec.multiply_adds(20) == 4 * (10 * 3 * 4 + 3 * 4 + 4 * 4) + 8 * 2
    assert spec.state_shapes == ((5, 3), (2, 4))


def test_late_blocks_look_further_for_the_same_cost() -> None:
    spec = EdgeTcnSpec(
        **{"n_features": 3, "n_classes": 2, "channels": 4, "kernel": 3, "dilations": (1,), "hop_frames": 8},
        **{"late_channels": 6, "late_dilations": (1, 2)},
    )
    early, late = 4 * 3 * 4 + (3 * 4 + 4 * 4), 2 * 4 * 6 + 2 * (3 * 6 + 6 * 6)
    assert spec.multiply_adds(40) == 20 * early + 10 * late + 12 * 2
    assert (spec.width, spec.embedding_size, spec.hop_steps) == (6, 12, 2)
    assert spec.state_shapes == ((2, 3), (2, 4), (2, 6), (4, 6))
    assert [t.name for t in spec.layout.tensors][5:7] == ["late/w", "late/b"]


def test_json_gives_the_same_specification() -> None:
    spec = EdgeTcnSpec(n_classes=5, channels=24, dilations=(1, 3), separable=False)
    assert EdgeTcnSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_separable_and_dense_have_other_layouts() -> None:
    assert EdgeTcnSpec().layout.digest != EdgeTcnSpec(separable=False).layout.digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"family": "lstm"}, "unknown network family 'lstm'"),
        ({"hop_frames": 5}, "hop_frames is 5, it must be a multiple of stem_stride 2"),
        ({"stem_stride": 3}, "hop_frames is 10, it must be a multiple of stem_stride 3"),
        ({"stem_stride": 5}, "stem_kernel is 4, it must be at least its stride, 5"),
        ({"stem_stride": 0}, "stem_stride is 0"),
        ({"channels": 0}, "channels is 0, limit is the whole numbers 1..4096"),
        ({"channels": 64.0}, r"channels is 64.0"),
        ({"kernel": 5000}, "kernel is 5000"),
        ({"n_classes": "8"}, "n_classes is '8'"),
        ({"stem_kernel": 1}, "stem_kernel is 1"),
        ({"separable": "no"}, "separable is 'no'"),
        ({"dilations": ()}, "dilations"),
        ({"dilations": (1, 0)}, "dilations"),
        ({"dilations": (1, 1.5)}, "dilations"),
        ({"late_dilations": (1,)}, "hop_frames is 10, it must be a multiple of stem_stride times late_stride, 4"),
        ({"late_dilations": (0,)}, r"late_dilations are \[0\]"),
        ({"late_channels": 0}, "late_channels is 0"),
        ({"dilations": 7}, "not a network specification"),
        ({"width": 3}, "unknown network field 'width'"),
    ],
)
def test_specifications_that_cannot_be(change: dict[str, object], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        EdgeTcnSpec.from_json({**EdgeTcnSpec().to_json(), **change})
