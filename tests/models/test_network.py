"""Families of networks: each has a row in every table, and none can be taken for another."""

import pytest

from overtone_models.errors import ModelError
from overtone_models.network import FAMILIES, network_from_json
from overtone_models.network_spec import EdgeTcnSpec


def test_every_family_has_its_own_name_format_and_file() -> None:
    assert all(spec.family == family for family, spec in FAMILIES.items())
    assert len({spec.bundle_format for spec in FAMILIES.values()}) == len(FAMILIES)
    assert len({spec.listening_file for spec in FAMILIES.values()}) == len(FAMILIES)


def test_every_family_can_be_heard_learned_and_verified() -> None:
    from overtone_cloud.cli.verify import VERIFIERS
    from overtone_edge.hearing.example_forms import EXAMPLE_FORMS
    from overtone_edge.hearing.streaming import RECOGNISERS

    assert set(RECOGNISERS) == set(EXAMPLE_FORMS) == set(VERIFIERS) == set(FAMILIES)


def test_a_network_is_read_by_its_family() -> None:
    spec = EdgeTcnSpec(n_classes=3, channels=4)
    assert network_from_json(spec.to_json()) == spec
    for family in ("lstm", None, ["edge-tcn"]):
        with pytest.raises(ModelError, match=r"unknown network family .*; there are edge-tcn, window"):
            network_from_json({**spec.to_json(), "family": family})
