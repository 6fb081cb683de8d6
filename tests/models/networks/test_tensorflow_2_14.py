"""The same network definitions under TensorFlow 2.14 (Keras 2, numpy 1), in `.venv-tff`."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from overtone_models.front_end import FrontEndSpec, mfcc
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.networks import edge_tcn

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-tff" / "bin" / "python"
SCRIPT = Path(__file__).with_name("networks_on_2_14.py")


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-tff with TensorFlow 2.14: `make setup-test` makes it")
def test_tensorflow_2_14_gives_the_same_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.normal(size=16_000)).astype(np.float32)
    clips = [rng.normal(size=(n, 12)).astype(np.float32) for n in (60, 47)]
    given = {"samples": samples, "clip0": clips[0], "clip1": clips[1]}
    expected = {}
    for separable in (True, False):
        spec = EdgeTcnSpec(n_features=12, n_classes=3, channels=8, kernel=3, dilations=(1, 2), separable=separable)
        model = edge_tcn.keras_model(spec, dropout=0.1)
        weights = [np.abs(rng.normal(size=w.shape)).astype(np.float32) * 0.3 for w in model.get_weights()]
        model.set_weights(weights)
        given |= {f"{separable}/{i}": w for i, w in enumerate(weights)}
        expected[f"{separable}/fold"] = edge_tcn.fold(model, spec)
        expected[f"{separable}/keras"] = model(list(edge_tcn.pad_utterances(clips, spec, 60)), training=False).numpy()
        expected[f"{separable}/plain"] = edge_tcn.logits(spec, expected[f"{separable}/fold"], clips)
    np.savez(tmp_path / "in.npz", **given)
    folders = os.pathsep.join(str(REPOSITORY / name) for name in ("common", "models"))
    environment = {**os.environ, "PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [PYTHON, SCRIPT, tmp_path / "in.npz", tmp_path / "out.npz"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as stored:
        found = dict(stored)
    assert str(found["tensorflow"]).startswith("2.14.")
    assert found["mfcc"].dtype == np.float32
    np.testing.assert_allclose(found["mfcc"], mfcc(samples, FrontEndSpec()), atol=1e-3)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4, rtol=1e-4, err_msg=name)
    for separable in (True, False):
        assert found[f"{separable}/moved"] > 0
        np.testing.assert_allclose(
            found[f"{separable}/trained plain"], found[f"{separable}/trained keras"], atol=1e-4, rtol=1e-4
        )
