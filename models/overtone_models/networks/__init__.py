"""Network definitions, and the one place where TensorFlow is imported (`from ... import tf`)."""

import os
from typing import Any

from overtone_models.native_stderr import native_stderr_silenced as native_stderr_silenced

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _import() -> Any:
    # TensorFlow logs its CPU features and the absence of a GPU before any log level applies.
    with native_stderr_silenced():
        import tensorflow

        tensorflow.zeros(1)  # looks for GPUs, which logs once
    return tensorflow


tf: Any = _import()
