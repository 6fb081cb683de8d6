"""Network definitions, and the one place where TensorFlow is imported (`from ... import tf`)."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Keep what native libraries write to file descriptor 2 off the terminal; Python's errors pass.

    TensorFlow logs its CPU features and the absence of a GPU before any log level applies.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)


def _import() -> Any:
    with native_stderr_silenced():
        import tensorflow

        tensorflow.zeros(1)  # looks for GPUs, which logs once
    return tensorflow


tf: Any = _import()
