"""Run by `.venv-reference/bin/python reference_whisper_log_mel.py IN.npz OUT.npz`: faster-whisper's log-mels.

Its module is loaded by its path: the package would import what decodes and transcribes.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np


def extractor() -> Any:
    """Return faster-whisper's feature extractor with its own settings."""
    package = importlib.util.find_spec("faster_whisper")
    assert package is not None and package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "feature_extractor.py"
    spec = importlib.util.spec_from_file_location("feature_extractor", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FeatureExtractor()


if __name__ == "__main__":
    with np.load(sys.argv[1]) as sounds:
        extract = extractor()
        np.savez(sys.argv[2], **{name: extract(sounds[name], padding=0).T for name in sounds})
