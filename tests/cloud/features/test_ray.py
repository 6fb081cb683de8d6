"""Extraction by a real Ray, started here."""

from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import ConfigError
from overtone_cloud.features.extraction import extract
from overtone_models.features.short_term import ShortTermSpec

ray = pytest.importorskip("ray")
SPEC = ShortTermSpec(windows=5)


@pytest.mark.slow
def test_ray_gives_what_one_process_does(tones: list[Utterance], tmp_path: Path) -> None:
    broken = tones[3].path.with_name("text.wav")
    broken.write_text("no sound")
    utterances = [*tones[:10], Utterance(id="text.wav", path=broken, corpus="tones"), *tones[10:]]
    lines: list[str] = []
    found = extract(utterances, SPEC, cache=tmp_path / "ray", jobs=2, ray="local", log=lines.append)
    expected = extract(utterances, SPEC, cache=tmp_path / "here", jobs=1)
    assert found[10] is None and f"left out: {broken}: not a recording that can be read" in lines[-1]
    for a, b in zip(found, expected, strict=True):
        assert (a is None and b is None) or np.allclose(a, b, atol=1e-6)
    assert not ray.is_initialized()
    assert all(feature is not None for feature in extract(tones, SPEC, cache=tmp_path / "ray", ray="local"))


@pytest.mark.slow
def test_a_ray_that_runs_already_is_used_and_left_running(tones: list[Utterance], tmp_path: Path) -> None:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        found = extract(tones, SPEC, cache=tmp_path / "ray", ray="auto")
        assert all(feature is not None for feature in found) and ray.is_initialized()
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_an_address_without_a_cluster_is_one_line(tones: list[Utterance], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Ray cluster at 'ray-nowhere'"):
        extract(tones, SPEC, cache=tmp_path / "ray", ray="ray-nowhere")


@pytest.mark.slow
def test_two_nodes_share_the_work(tones: list[Utterance], tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        found = extract(tones, SPEC, cache=tmp_path / "ray", ray=cluster.address)
    finally:
        cluster.shutdown()
    expected = extract(tones, SPEC, cache=tmp_path / "here", jobs=1)
    for a, b in zip(found, expected, strict=True):
        assert a is not None and b is not None and np.allclose(a, b, atol=1e-6)
