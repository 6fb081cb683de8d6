"""Training, prediction and test of one Keras network."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import TrainingError
from overtone_models.front_end import F32
from overtone_models.metrics import Targets
from overtone_models.networks import tf
from overtone_papers.common.report import CURVES, History
from overtone_papers.common.scoring import scores
from overtone_papers.common.study import no_log

Inputs = F32 | Sequence[F32]
"""One array `(n, ...)`, or one for each input of the network."""
LOG_EVERY_S = 10.0


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow; called before a network is built, its first weights are the seed's too."""
    tf.keras.utils.set_random_seed(seed)


def accelerators() -> tuple[str, ...]:
    """Return the names of the accelerators that TensorFlow sees; empty where it runs on the processor."""
    return tuple(device.name for device in tf.config.list_physical_devices() if device.device_type != "CPU")


def fit(
    model: Any,
    x: Inputs,
    y: NDArray[Any],
    *,
    epochs: int,
    batch: int,
    seed: int,
    validation: tuple[Inputs, NDArray[Any]] | None = None,
    optimizer: Any = None,
    loss: Any = None,
    patience: int | None = None,
    class_weights: Mapping[int, float] | None = None,
    log: Callable[[str], None] = no_log,
    name: str = "",
) -> History:
    """Train `model` in place and return its curves.

    `y` holds class numbers `(n,)` or soft targets `(n, K)`; the default loss is cross entropy from logits, the
    default optimiser Adam. With `patience` the training stops after that many epochs without a better
    validation loss, and the best weights are restored. Raise TrainingError when the loss is not finite.
    """
    tf.keras.utils.set_random_seed(seed)
    sparse = np.ndim(y) == 1
    keras = tf.keras
    if loss is None:
        kind = keras.losses.SparseCategoricalCrossentropy if sparse else keras.losses.CategoricalCrossentropy
        loss = kind(from_logits=True)
    accuracy = keras.metrics.SparseCategoricalAccuracy if sparse else keras.metrics.CategoricalAccuracy
    model.compile(optimizer=optimizer or keras.optimizers.Adam(), loss=loss, metrics=[accuracy(name="accuracy")])
    callbacks: list[Any] = [_Watch(epochs=epochs, log=log, name=name)]
    if patience is not None:
        if validation is None:
            raise TrainingError(f"{name or 'training'}: patience watches val_loss, which needs validation data")
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True))
    started = time.monotonic()
    with _quiet():
        training = model.fit(
            _arrays(x),
            y,
            batch_size=batch,
            epochs=epochs,
            validation_data=(_arrays(validation[0]), validation[1]) if validation is not None else None,
            class_weight=class_weights,
            callbacks=callbacks,
            verbose=0,
        )
    curves = {key: [float(v) for v in training.history.get(key, [])] for key in CURVES}
    best = None if patience is None else int(np.argmin(curves["val_loss"])) + 1
    return History(
        name=name, **curves, seconds=round(time.monotonic() - started, 3), epochs=len(training.epoch), best_epoch=best
    )


def predict(model: Any, x: Inputs, *, batch: int = 256) -> F32:
    """Return the `(n, K)` outputs of the network (logits, for the papers' networks)."""
    with _quiet():
        result: F32 = np.asarray(model.predict(_arrays(x), batch_size=batch, verbose=0), np.float32)
    return result


def timed_prediction(model: Any, x: Inputs, *, batch: int = 256) -> tuple[F32, float]:
    """Return the outputs `(n, K)` and the seconds that they took; the graph is traced beforehand."""
    predict(model, [part[:batch] for part in x] if isinstance(x, (list, tuple)) else x[:batch], batch=batch)
    started = time.monotonic()
    outputs = predict(model, x, batch=batch)
    return outputs, time.monotonic() - started


def tested(model: Any, x: Inputs, y: Targets, labels: Sequence[str]) -> dict[str, Any]:
    """Return scores of the test rows, milliseconds per row and the number of parameters, as JSON."""
    logits, seconds = timed_prediction(model, x)
    return {
        "scores": scores(logits, y, labels),
        "inference_ms": round(1000 * seconds / len(y), 4),
        "parameters": int(model.count_params()),
    }


class _Watch(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Says every few seconds how far the training is, and ends one whose loss is lost."""

    def __init__(self, *, epochs: int, log: Callable[[str], None], name: str) -> None:
        super().__init__()
        self._epochs, self._log, self._name = epochs, log, name or "training"
        self._said = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Log now and then; the first word comes after `LOG_EVERY_S`."""
        figures = logs or {}
        if not np.isfinite(figures.get("loss", 0.0)):
            raise TrainingError(f"{self._name}: the loss of epoch {epoch + 1} is not finite: lower the learning rate")
        if time.monotonic() - self._said < LOG_EVERY_S:
            return
        self._said = time.monotonic()
        shown = ", ".join(f"{key} {figures[key]:.3f}" for key in CURVES if key in figures)
        self._log(f"{self._name}: epoch {epoch + 1} of {self._epochs}, {shown}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep TensorFlow from warning of retracing: many small networks, each traced once, look like one traced often."""
    logger = tf.get_logger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _arrays(x: Inputs) -> Any:
    """Return the one input of a network, or the list of several."""
    if isinstance(x, (list, tuple)):
        return list(x) if len(x) > 1 else x[0]
    return x
