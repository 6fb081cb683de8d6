"""The openSMILE option: one line where it is not installed, the same columns where it is."""

import importlib.util
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.opensmile import OpenSmileSpec, check_opensmile
from overtone_models.features.acoustic import STATIC, AcousticSpec

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = REPOSITORY / ".venv-reference" / "bin" / "python"
SCRIPT = """
import sys, numpy as np
from overtone_cloud.features.opensmile import OpenSmileSpec, check_opensmile
check_opensmile()
with np.load(sys.argv[1]) as given:
    np.savez(sys.argv[2], **{name: OpenSmileSpec().compute(samples) for name, samples in given.items()})
"""


@pytest.mark.skipif(importlib.util.find_spec("opensmile") is not None, reason="opensmile is installed here")
def test_without_the_library_the_extra_and_the_licence_are_named() -> None:
    for call in (check_opensmile, lambda: OpenSmileSpec().compute(np.ones(8_000, np.float32))):
        with pytest.raises(ConfigError, match=r"pip install 'overtone\[opensmile\]' \(openSMILE's licence") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_the_specification_is_a_feature_of_its_own() -> None:
    spec = OpenSmileSpec()
    assert spec.shape == AcousticSpec().shape
    assert spec.digest != AcousticSpec().digest
    assert json.loads(json.dumps(spec.to_json()))["name"] == "acoustic-opensmile"


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-reference with openSMILE: `make setup-test` makes it")
def test_the_same_columns_as_our_own(tmp_path: Path) -> None:
    rng, t = np.random.default_rng(0), np.arange(24_000) / 16_000
    tone = sum(np.sin(2 * np.pi * 180 * k * t) / k for k in range(1, 15)) * 0.05 * (1 + np.sin(2 * np.pi * 3 * t))
    voice = (tone + 1e-3 * rng.normal(size=t.size)).astype(np.float32)
    given = {"voice": voice, "short": voice[:300], "silence": np.zeros(8_000, np.float32)}
    np.savez(tmp_path / "in.npz", **given)
    folders = os.pathsep.join(str(REPOSITORY / name) for name in ("common", "models", "cloud"))
    environment = {**os.environ, "PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [PYTHON, "-c", SCRIPT, tmp_path / "in.npz", tmp_path / "out.npz"]
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, (tmp_path / "log").read_text()
    with np.load(tmp_path / "out.npz") as stored:
        found = dict(stored)
    for name, array in found.items():
        assert array.shape[1] == 36
        assert array.dtype == np.float32
        assert np.isfinite(array).all(), name
    ours = AcousticSpec().track(voice)
    shared = min(len(ours), len(found["voice"]))
    voiced = found["voice"][:, 0] > 0
    assert np.median(found["voice"][voiced, 0]) == pytest.approx(180.0, rel=0.02)
    for column in (STATIC.index("loudness"), STATIC.index("mfcc_1")):
        assert np.corrcoef(ours[:shared, column], found["voice"][:shared, column])[0, 1] > 0.85
    assert not found["silence"][:, 0].any()
