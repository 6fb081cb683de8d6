"""Fixtures of the corpus tests: trees of tiny sound files."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Iterable[str]], Path]:
    """Return a function that writes a short, distinct sound under each name and returns the folder."""

    def make(names: Iterable[str], root: str = "corpus") -> Path:
        folder = tmp_path / root
        for number, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.random.default_rng(number).uniform(-0.5, 0.5, 800)
            soundfile.write(path.with_suffix(".tmp"), samples, 16_000, format="WAV")
            path.with_suffix(".tmp").rename(path)
        return folder

    return make
