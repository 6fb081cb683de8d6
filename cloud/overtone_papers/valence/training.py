"""Training on one fold: epochs of random crops until the validation speakers gain no more, best weights restored."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import TrainingError
from overtone_models.front_end import F32
from overtone_papers.common.fitting import predict, softmax
from overtone_papers.common.pictures import grid_png
from overtone_papers.common.report import History
from overtone_papers.common.study import no_log
from overtone_papers.valence.figures import measure
from overtone_papers.valence.learner import Learner
from overtone_papers.valence.material import Recording, crops
from overtone_papers.valence.settings import Settings
from overtone_papers.valence.soft_labels import accepted, oversampled, soft

Log = Callable[[str], None]
LOG_EVERY_S = 15.0
PREDICT_BATCH = 64
PICTURES = 8
Batch = tuple[F32, F32, F32, F32 | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What one training sees; `unlabelled` are recordings for the adversaries, empty for the CNNs.

    `validation` are fixed crops `(n, rows, width, 1)` of the validation speakers, with their ratings.
    """

    recordings: Sequence[Recording]
    valence: NDArray[np.float64]
    activation: NDArray[np.float64]
    validation: F32
    validation_valence: NDArray[np.float64]
    unlabelled: Sequence[Recording] = ()


@dataclass(kw_only=True)
class Curves:
    """One value an epoch; the validation accuracy is the unweighted one of five classes."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    others: dict[str, list[float]] = field(default_factory=dict)
    """The losses of activation, discriminator ("real") and generator."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A learner with its best weights, and how it got there."""

    learner: Learner
    history: History
    others: dict[str, list[float]]

    def probabilities(self, x: F32) -> F32:
        """Return the `(n, 5)` valence probabilities of crops `(n, rows, width, 1)`."""
        return softmax(predict(self.learner.valence, x, batch=PREDICT_BATCH))


def train(
    lesson: Lesson, settings: Settings, seed: int, *, log: Log = no_log, name: str = "", pictures: Path | None = None
) -> Trained:
    """Return the trained network of the epoch that validated best.

    The training stops after `settings.patience` epochs in a row that were not better. With `pictures` the
    generator's answers to the same noise are drawn there after every epoch.
    """
    learner = Learner(settings, seed)
    generator = np.random.default_rng(seed)
    curves, started = Curves(), time.monotonic()
    best, best_epoch, best_weights = -1.0, 0, learner.network.get_weights()
    for epoch in range(1, settings.epochs + 1):
        _run_epoch(learner, lesson, generator, curves, log=log, name=f"{name}: epoch {epoch} of {settings.epochs}")
        if pictures is not None and learner.generator is not None:
            _draw(learner, seed, pictures / f"epoch-{epoch:03}.png", f"{name}, epoch {epoch}")
        _validate(learner, lesson, curves)
        log(f"{name}: epoch {epoch}, loss {curves.loss[-1]:.3f}, validation {100 * curves.val_accuracy[-1]:.1f} %")
        if curves.val_accuracy[-1] > best:
            best, best_epoch, best_weights = curves.val_accuracy[-1], epoch, learner.network.get_weights()
        elif epoch - best_epoch >= settings.patience:
            break
    learner.network.set_weights(best_weights)
    history = History(
        name=name,
        loss=curves.loss,
        accuracy=curves.accuracy,
        val_loss=curves.val_loss,
        val_accuracy=curves.val_accuracy,
        seconds=round(time.monotonic() - started, 3),
        epochs=len(curves.loss),
        best_epoch=best_epoch,
    )
    return Trained(learner=learner, history=history, others=curves.others)


def batches(lesson: Lesson, settings: Settings, generator: np.random.Generator) -> Iterator[Batch]:
    """Yield one epoch of equal batches: crops, valence and activation `(batch, 5)`, and unlabelled crops.

    The last batch is filled up from the beginning; unlabelled recordings come as often as they are long.
    """
    valence, activation = soft(lesson.valence), soft(lesson.activation)
    rows = oversampled(valence, generator)[: settings.epoch_samples]
    lengths = np.array([r.spectrogram.shape[1] for r in lesson.unlabelled], np.float64)
    for start in range(0, len(rows), settings.batch):
        chosen = rows[np.arange(start, start + settings.batch) % len(rows)]
        free = None
        if len(lengths):
            drawn = generator.choice(len(lengths), settings.batch, p=lengths / lengths.sum())
            free = crops([lesson.unlabelled[i] for i in drawn], settings.width, generator)
        x = crops([lesson.recordings[i] for i in chosen], settings.width, generator)
        yield x, valence[chosen], activation[chosen], free


def _run_epoch(
    learner: Learner, lesson: Lesson, generator: np.random.Generator, curves: Curves, *, log: Log, name: str
) -> None:
    losses: dict[str, list[float]] = {}
    hits: list[float] = []
    said = time.monotonic()
    for number, batch in enumerate(batches(lesson, learner.settings, generator), start=1):
        step, logits = learner.step(*batch)
        if not np.isfinite(list(step.values())).all():
            raise TrainingError(f"{name}: the loss of batch {number} is not finite: lower the learning rate")
        for task, value in step.items():
            losses.setdefault(task, []).append(value)
        hits.append(float(accepted(batch[1])[np.arange(len(logits)), logits.argmax(1)].mean()))
        if time.monotonic() - said >= LOG_EVERY_S:
            said = time.monotonic()
            log(f"{name}: batch {number}, " + ", ".join(f"{task} {value:.3f}" for task, value in step.items()))
    # A rectifier may turn a NaN into 0, so that the losses look sound while the weights are lost.
    if not all(np.isfinite(weights).all() for weights in learner.network.get_weights()):
        raise TrainingError(f"{name}: a weight is not finite: lower the learning rate")
    means = {task: round(float(np.mean(values)), 6) for task, values in losses.items()}
    curves.loss.append(means.pop("valence"))
    curves.accuracy.append(round(float(np.mean(hits)), 6))
    for task, mean in means.items():
        curves.others.setdefault(task, []).append(mean)


def _validate(learner: Learner, lesson: Lesson, curves: Curves) -> None:
    probabilities = softmax(predict(learner.valence, lesson.validation, batch=PREDICT_BATCH))
    surprise = -(soft(lesson.validation_valence) * np.log(np.maximum(probabilities, 1e-12))).sum(1)
    figures: dict[str, Any] = measure(probabilities, lesson.validation_valence)
    curves.val_loss.append(round(float(surprise.mean()), 6))
    curves.val_accuracy.append(figures["acc5"])


def _draw(learner: Learner, seed: int, path: Path, title: str) -> None:
    images = learner.generated(learner.noise(PICTURES, seed))
    grid_png(path, list(images), columns=4, title=title)
