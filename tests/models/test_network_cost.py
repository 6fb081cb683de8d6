"""Costs of layers add up to the network's, and the costliest is the one with the largest product."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_models.errors import ModelError
from overtone_models.network_cost import costliest, layer_costs
from overtone_models.network_spec import EdgeTcnSpec, edge_tcn


@given(size=st.sampled_from("SML"), separable=st.booleans(), classes=st.integers(2, 10), frames=st.integers(10, 1000))
def test_layers_add_up(size: str, separable: bool, classes: int, frames: int) -> None:
    spec = replace(edge_tcn(size, n_features=40, n_classes=classes), separable=separable)
    costs = layer_costs(spec, frames)
    assert sum(cost.multiply_adds for cost in costs) == spec.multiply_adds(frames)
    assert len({cost.name for cost in costs}) == len(costs)


def test_a_layers_cost_is_its_weights_times_its_steps() -> None:
    spec = EdgeTcnSpec(n_features=40, n_classes=8, channels=10, kernel=5, dilations=(1,), stem_kernel=4)
    costs = {cost.name: cost for cost in layer_costs(spec, 300)}
    assert list(costs) == ["stem", "block0/depthwise", "block0", "head"]
    assert costs["stem"].multiply_adds == 150 * 4 * 40 * 10
    assert costs["stem"].weight_bytes == 4 * 40 * 10 + 4 * 10
    assert costs["block0/depthwise"].multiply_adds == 150 * 5 * 10
    assert costs["block0"].multiply_adds == 150 * 10 * 10
    assert costs["head"].multiply_adds == 20 * 8
    assert costliest(layer_costs(spec, 300), "multiply_adds").name == "stem"


def test_late_layers_are_used_less_often() -> None:
    spec = EdgeTcnSpec(channels=10, dilations=(1,), hop_frames=8, late_channels=20, late_dilations=(1,))
    costs = {cost.name: cost for cost in layer_costs(spec, 240)}
    assert costs["block0"].multiply_adds == 120 * 10 * 10
    assert costs["late"].multiply_adds == 60 * 2 * 10 * 20
    assert costs["block1"].multiply_adds == 60 * 20 * 20


def test_a_sum_that_differs_from_the_networks_own_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EdgeTcnSpec, "multiply_adds", lambda self, frames: 1)
    with pytest.raises(ModelError, match="in all, the network 1"):
        layer_costs(EdgeTcnSpec(), 300)
