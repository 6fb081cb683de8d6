"""The federated paper's networks: its parameter counts, under TensorFlow 2.21 here and 2.14 in `.venv-tff`."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from overtone_models.networks import papers
from overtone_models.networks.papers.federated import NETWORKS, PARAMETERS

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-tff" / "bin" / "python"
SMALL = {
    "a-dense": {"windows": 9, "features": 5, "width": 6},
    "a-conv": {"windows": 12, "features": 5, "filters": [6, 5, 4, 3], "width": 7},
    "a-lstm": {"windows": 9, "features": 5, "width": 6},
}
LEGACY = """
import json, sys
import numpy as np
from overtone_models.networks import papers, tf
given = dict(np.load(sys.argv[1]))
small = json.loads(sys.argv[3])
counts = json.dumps([tf.__version__, {name: papers.build(name).count_params() for name in small}])
out = {"about": np.array(counts)}
for name, options in small.items():
    model = papers.build(name, **options)
    model.set_weights([given[f"{name}/{i}"] for i in range(len(model.weights))])
    out[name] = model(given[f"{name}/x"], training=False).numpy()
np.savez(sys.argv[2], **out)
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_has_the_papers_parameters(name: str) -> None:
    model = papers.build(name)
    assert model.count_params() == PARAMETERS[name]
    assert model.input_shape == (None, 100, 34)
    assert model.layers[-1].name == "head" and model.output_shape == (None, 4)


def test_has_the_papers_layers() -> None:
    counts = {layer.name: layer.count_params() for layer in papers.build("a-conv").layers}
    assert [counts[f"conv{i}"] for i in range(4)] == [52_736, 196_736, 49_280, 24_640]
    assert counts["embedding"] == 1_507_584
    counts = {layer.name: layer.count_params() for layer in papers.build("a-lstm").layers}
    assert (counts["lstm0"], counts["lstm1"], counts["embedding"]) == (1_120_256, 2_099_200, 262_656)


@pytest.mark.parametrize("name", NETWORKS)
def test_gives_logits_and_not_shares(name: str) -> None:
    model = papers.build(name, **SMALL[name], classes=3)
    x = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    model.set_weights([3 * w + 0.1 for w in model.get_weights()])
    sums = model(x, training=False).numpy().sum(1)
    assert sums.shape == (4,) and not np.allclose(sums, 1.0)


def test_an_unrolled_lstm_is_the_same_network() -> None:
    rolled, unrolled = (papers.build("a-lstm", **SMALL["a-lstm"], unroll=unroll) for unroll in (False, True))
    unrolled.set_weights(rolled.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)
    np.testing.assert_allclose(rolled(x, training=False), unrolled(x, training=False), atol=1e-5)


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-tff with TensorFlow 2.14: `make setup-tff` makes it")
def test_tensorflow_2_14_gives_the_same_networks(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    given, expected = {}, {}
    for name, options in SMALL.items():
        model = papers.build(name, **options)
        model.set_weights([w + 0.1 * rng.normal(size=w.shape) for w in model.get_weights()])
        x = rng.normal(size=(3, *model.input_shape[1:])).astype(np.float32)
        given |= {f"{name}/{i}": w for i, w in enumerate(model.get_weights())} | {f"{name}/x": x}
        expected[name] = model(x, training=False).numpy()
    np.savez(tmp_path / "in.npz", **given)
    folders = os.pathsep.join(str(REPOSITORY / name) for name in ("common", "models"))
    environment = {**os.environ, "PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
    with (tmp_path / "log").open("wb") as log:
        done = subprocess.run(
            [PYTHON, "-c", LEGACY, tmp_path / "in.npz", tmp_path / "out.npz", json.dumps(SMALL)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, (tmp_path / "log").read_text()
    with np.load(tmp_path / "out.npz") as stored:
        found = dict(stored)
    version, counts = json.loads(str(found["about"]))
    assert version.startswith("2.14.") and counts == PARAMETERS
    for name, logits in expected.items():
        np.testing.assert_allclose(found[name], logits, atol=1e-5)
