"""Training on one fold: epochs of random crops, early stopping on validation speakers, best weights restored."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.errors import TrainingError
from overtone_models.front_end import F32
from overtone_papers.common.fitting import predict
from overtone_papers.common.pictures import grid_png
from overtone_papers.common.report import History
from overtone_papers.common.scoring import softmax
from overtone_papers.common.study import no_log
from overtone_papers.valence.data import Recording, crops
from overtone_papers.valence.networks import Learner
from overtone_papers.valence.ratings import accepted, measure, oversampled, soft
from overtone_papers.valence.settings import Recipe

Log = Callable[[str], None]
LOG_EVERY_S = 15.0
PREDICT_BATCH = 64
PICTURES = 8
Batch = tuple[F32, F32, F32, F32 | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """Data of one training; `unlabelled` are recordings for the adversaries, empty for the CNNs.

    `validation` are fixed crops `(n, rows, width, 1)` of the validation speakers, with their ratings.
    """

    recordings: Sequence[Recording]
    valence: NDArray[np.float64]
    activation: NDArray[np.float64]
    validation: F32
    validation_valence: NDArray[np.float64]
    unlabelled: Sequence[Recording] = ()


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A learner with its best weights, and its history.

    The history's validation accuracy is the unweighted one of five classes; `others` are the losses of activation,
    discriminator ("real") and generator, one value per epoch.
    """

    learner: Learner
    history: History
    others: dict[str, list[float]]

    def probabilities(self, x: F32) -> F32:
        """Return the `(n, 5)` valence probabilities of crops `(n, rows, width, 1)`."""
        return softmax(predict(self.learner.valence, x, batch=PREDICT_BATCH))


def train(
    lesson: Lesson, recipe: Recipe, seed: int, *, log: Log = no_log, name: str = "", pictures: Path | None = None
) -> Trained:
    """Return the network trained to the epoch of best validation.

    The training stops after `recipe.patience` epochs in a row without improvement. With `pictures`, a folder, the
    generator's output for the same noise is drawn there after every epoch.
    """
    learner = Learner(recipe, seed)
    trained = Trained(learner=learner, history=History(name=name), others={})
    generator, started = np.random.default_rng(seed), time.monotonic()
    accuracies = trained.history.val_accuracy
    best_epoch, best_weights = 0, learner.network.get_weights()
    for epoch in range(1, recipe.epochs + 1):
        _run_epoch(trained, lesson, generator, log=log, name=f"{name}: epoch {epoch} of {recipe.epochs}")
        if pictures is not None and learner.generator is not None:
            images = list(learner.generated(PICTURES, seed))
            grid_png(pictures / f"epoch-{epoch:03}.png", images, columns=4, title=f"{name}, epoch {epoch}")
        _validate(trained, lesson)
        loss = trained.history.loss[-1]
        log(f"{name}: epoch {epoch}, loss {loss:.3f}, validation {100 * accuracies[-1]:.1f} %")
        if not best_epoch or accuracies[-1] > accuracies[best_epoch - 1]:
            best_epoch, best_weights = epoch, learner.network.get_weights()
        elif epoch - best_epoch >= recipe.patience:
            break
    learner.network.set_weights(best_weights)
    seconds = round(time.monotonic() - started, 3)
    history = replace(trained.history, seconds=seconds, epochs=len(accuracies), best_epoch=best_epoch)
    return replace(trained, history=history)


def batches(lesson: Lesson, recipe: Recipe, generator: np.random.Generator) -> Iterator[Batch]:
    """Yield one epoch of equal batches: crops, valence and activation `(batch, 5)`, and unlabelled crops.

    The last batch is filled up from the beginning; unlabelled recordings are sampled in proportion to their length.
    """
    valence, activation = soft(lesson.valence), soft(lesson.activation)
    rows = oversampled(valence, generator)[: recipe.epoch_samples]
    lengths = np.array([r.spectrogram.shape[1] for r in lesson.unlabelled], np.float64)
    for start in range(0, len(rows), recipe.batch):
        batch_rows = rows[np.arange(start, start + recipe.batch) % len(rows)]
        free = None
        if len(lengths):
            places = generator.choice(len(lengths), recipe.batch, p=lengths / lengths.sum())
            free = crops([lesson.unlabelled[i] for i in places], recipe.width, generator)
        x = crops([lesson.recordings[i] for i in batch_rows], recipe.width, generator)
        yield x, valence[batch_rows], activation[batch_rows], free


def _run_epoch(trained: Trained, lesson: Lesson, generator: np.random.Generator, *, log: Log, name: str) -> None:
    learner = trained.learner
    losses: list[dict[str, float]] = []
    hits: list[float] = []
    logged = time.monotonic()
    for number, batch in enumerate(batches(lesson, learner.recipe, generator), start=1):
        step, logits = learner.step(*batch)
        if not np.isfinite(list(step.values())).all():
            raise TrainingError(f"{name}: the loss of batch {number} is not finite: lower the learning rate")
        losses.append(step)
        hits.append(float(accepted(batch[1])[np.arange(len(logits)), logits.argmax(1)].mean()))
        if time.monotonic() - logged >= LOG_EVERY_S:
            logged = time.monotonic()
            log(f"{name}: batch {number}, " + ", ".join(f"{task} {value:.3f}" for task, value in step.items()))
    # A rectifier may turn a NaN into 0, so that the losses look sound while the weights are lost.
    if not all(np.isfinite(weights).all() for weights in learner.network.get_weights()):
        raise TrainingError(f"{name}: a weight is not finite: lower the learning rate")
    means = {task: round(float(np.mean([step[task] for step in losses])), 6) for task in losses[0]}
    trained.history.loss.append(means.pop("valence"))
    trained.history.accuracy.append(round(float(np.mean(hits)), 6))
    for task, mean in means.items():
        trained.others.setdefault(task, []).append(mean)


def _validate(trained: Trained, lesson: Lesson) -> None:
    probabilities = trained.probabilities(lesson.validation)
    surprise = -(soft(lesson.validation_valence) * np.log(np.maximum(probabilities, 1e-12))).sum(1)
    trained.history.val_loss.append(round(float(surprise.mean()), 6))
    trained.history.val_accuracy.append(measure(probabilities, lesson.validation_valence)["acc5"])
