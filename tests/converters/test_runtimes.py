"""Both files of a bundle on both runtimes: ai-edge-litert, and tflite-runtime 2.14 with numpy 1."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from overtone_models.bundle import Bundle

REPOSITORY = Path(__file__).resolve().parents[2]
LEGACY = REPOSITORY / ".venv-tff" / "bin" / "python"
SCRIPT = Path(__file__).with_name("runtime_2_14.py")


def on(python: Path, runtime: str, bundle: Path, source: Path) -> dict[str, np.ndarray]:
    """What the script says with a runtime."""
    target = source.with_name(f"{runtime}.npz")
    environment = {
        **os.environ,
        "OVERTONE_RUNTIME": runtime,
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / name) for name in ("common", "models", "edge")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [python, SCRIPT, bundle, source, target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(target) as stored:
        return dict(stored)


def given(bundle: Bundle, path: Path) -> None:
    rng = np.random.default_rng(4)
    network = bundle.manifest.network
    np.savez(
        path,
        **{
            "samples": (0.1 * rng.normal(size=24_000)).astype(np.float32),
            "head x": rng.normal(size=(16, network.embedding_size)).astype(np.float32),
            "full x": rng.normal(size=(16, 300, 40)).astype(np.float32),
            "y": np.eye(4, dtype=np.float32)[rng.integers(0, 4, 16)],
            "weight": (np.arange(16) < 13).astype(np.float32),
        },
    )


@pytest.mark.skipif(not LEGACY.exists(), reason="no .venv-tff with tflite-runtime 2.14: `make setup-test` makes it")
@pytest.mark.parametrize("kind", ["payload", "dense_payload"])
def test_both_runtimes_give_the_same(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    from overtone_models.bundle import read_bundle

    data = request.getfixturevalue(kind)
    (tmp_path / "bundle").write_bytes(data)
    given(read_bundle(data), tmp_path / "in.npz")
    new = on(Path(sys.executable), "ai-edge-litert", tmp_path / "bundle", tmp_path / "in.npz")
    old = on(LEGACY, "tflite-runtime", tmp_path / "bundle", tmp_path / "in.npz")
    assert str(new["runtime"]).startswith("ai-edge-litert ")
    assert str(old["runtime"]).startswith("tflite-runtime 2.14.")
    assert new["heavy"].size == old["heavy"].size == 0
    assert float(old["golden"]) < 0.02
    np.testing.assert_allclose(old["probabilities"], new["probabilities"], atol=0.02)
    scale = np.abs(new["embeddings"]).max()
    np.testing.assert_allclose(old["embeddings"], new["embeddings"], atol=0.02 * scale)
    for scope in ("head", "full"):
        for what in ("losses", "weights", "velocity", "logits"):
            name = f"{scope} {what}"
            np.testing.assert_allclose(old[name], new[name], atol=1e-4, rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(old[f"{scope} weights"], new[f"{scope} weights"], atol=1e-5, rtol=0)
