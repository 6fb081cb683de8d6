"""The raw inputs that lie beside a saved network: `overtone convert` quantises with some and checks with others."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_arrays
from overtone_models.window_model import CALIBRATION, TEST

CALIBRATION_ROWS, TEST_ROWS = 64, 200

Rows = NDArray[np.int64]


def write_rows(
    folder: Path,
    *,
    train: Any,
    test: Any,
    inputs: Callable[[Rows], Sequence[Any]],
    classes: Callable[[Rows], Any],
    seed: int,
) -> None:
    """Write some of the training rows' raw inputs, and some of the test rows' with their classes.

    `inputs(rows)` gives one array for each input of the network. Raises TrainingError where the disk refuses.
    """
    generator = np.random.default_rng(seed)
    calibration = generator.permutation(np.asarray(train))[:CALIBRATION_ROWS]
    tested = generator.permutation(np.asarray(test))[:TEST_ROWS]
    write_arrays(folder / CALIBRATION, _numbered(inputs(calibration)), error=TrainingError)
    write_arrays(folder / TEST, {**_numbered(inputs(tested)), "y": classes(tested)}, error=TrainingError)


def _numbered(inputs: Sequence[Any]) -> dict[str, Any]:
    return {f"x{i}": x for i, x in enumerate(inputs)}
