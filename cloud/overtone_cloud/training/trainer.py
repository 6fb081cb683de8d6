"""Training of the edge network: inner speakers decide when to stop, test speakers never."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_cloud.errors import TrainingError
from overtone_cloud.training.augment import augment, mixup
from overtone_cloud.training.features import Features
from overtone_cloud.training.metrics import unweighted_average_recall
from overtone_cloud.training.run_folder import HISTORY, RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.calibration import Calibration, fit_temperature, fit_threshold, negative_log_likelihood
from overtone_models.front_end import F32, dct_matrix
from overtone_models.networks import edge_tcn as networks
from overtone_models.networks import tf
from overtone_models.trained import TrainedModel

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training and inner features with targets and the training part's standardisation."""

    train: Features
    inner: Features
    labels: tuple[str, ...]
    mean: F32
    scale: F32

    @property
    def train_targets(self) -> Any:
        """Places of the training labels."""
        return self.train.targets(self.labels)

    @property
    def inner_targets(self) -> Any:
        """Places of the inner speakers' labels."""
        return self.inner.targets(self.labels)

    def standardise(self, mfcc: F32) -> F32:
        """Return standardised `(frames, n_mfcc)`."""
        result: F32 = (mfcc - self.mean) * self.scale
        return result

    def inner_utterances(self) -> list[F32]:
        """Return the inner speakers' standardised utterances."""
        return [self.standardise(self.inner.mfcc(i)) for i in range(len(self.inner))]


def prepare(train: Features, inner: Features, labels: tuple[str, ...]) -> Prepared:
    """Return what training needs; the standardisation sees the training part only."""
    if not len(train) or not len(inner):
        raise TrainingError(f"{len(train)} training and {len(inner)} inner utterances: both parts need some")
    missing = set(labels) - {str(u.label) for u in train.utterances}
    if missing:
        raise TrainingError(f"no training utterance has the label {min(missing)!r}")
    joined = np.concatenate(train.log_mels) @ dct_matrix(train.front_end)
    scale = 1.0 / np.maximum(joined.std(0), 1e-3)
    return Prepared(train, inner, labels, joined.mean(0).astype(np.float32), scale.astype(np.float32))


class Trainer:
    """One training; `run()` goes on from the run folder's checkpoint when there is one."""

    def __init__(self, data: Prepared, settings: TrainSettings, folder: RunFolder) -> None:
        self.data, self.settings, self.folder = data, settings, folder
        self.spec = settings.network(n_features=data.train.front_end.n_mfcc, n_classes=len(data.labels))
        tf.keras.utils.set_random_seed(settings.seed)
        self.network = networks.keras_model(self.spec, dropout=settings.dropout)
        self.steps_per_epoch = max(1, len(data.train) // settings.batch)
        self.optimizer = self._optimizer()
        self.optimizer.build(self.network.trainable_variables)
        self._step = tf.function(self._train_step, reduce_retracing=True)
        self._inner = data.inner_utterances()
        self._train_targets, self._inner_targets = data.train_targets, data.inner_targets
        self._dct = dct_matrix(data.train.front_end)
        self.history: list[dict[str, float]] = []
        self.best_uar, self.best_loss, self.best_epoch = -1.0, np.inf, 0
        self.best_weights = networks.fold(self.network, self.spec)
        self.epoch = 0

    def _optimizer(self) -> Any:
        settings = self.settings
        total = settings.epochs * self.steps_per_epoch
        warmup = min(settings.warmup_steps, max(1, total // 10))
        schedule = tf.keras.optimizers.schedules.CosineDecay(
            0.0, max(1, total - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
        )
        return tf.keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)

    def run(self, report: Report | None = None) -> TrainedModel:
        """Train to the last epoch or until the inner speakers gain no more; return the best model."""
        self._restore()
        settings = self.settings
        while self.epoch < settings.epochs and self.epoch - self.best_epoch < settings.patience_epochs:
            loss = self._run_epoch()
            self.epoch += 1
            entry = {"epoch": float(self.epoch), "loss": loss}
            if self.epoch % settings.evaluate_every_epochs == 0 or self.epoch == settings.epochs:
                entry |= self._evaluate_inner()
            self.history.append(entry)
            if "inner_uar" in entry:
                self._save()
            if report:
                report(entry)
        self.folder.write_json(HISTORY, self.history)
        return self._finished()

    def _run_epoch(self) -> float:
        rng = np.random.default_rng((self.settings.seed, self.epoch))
        order = rng.permutation(len(self.data.train))
        size = min(self.settings.batch, len(order))
        losses = []
        for step in range(self.steps_per_epoch):
            x, mask, y = self._batch(order[step * size : (step + 1) * size], rng)
            losses.append(float(self._step(tf.constant(x), tf.constant(mask), tf.constant(y))))
        mean = float(np.mean(losses))
        if not np.isfinite(mean):
            raise TrainingError(f"the loss of epoch {self.epoch + 1} is not finite: lower learning_rate")
        return mean

    def _batch(self, rows: Any, rng: np.random.Generator) -> tuple[F32, F32, F32]:
        settings = self.settings
        utterances = []
        for row in rows:
            x = self.data.train.log_mels[row]
            if len(x) > settings.max_frames:
                start = int(rng.integers(0, len(x) - settings.max_frames + 1))
                x = x[start : start + settings.max_frames]
            varied = augment(x, settings.augmentation, rng)
            utterances.append(self.data.standardise(varied @ self._dct))
        x, mask = networks.padded(utterances, self.spec, settings.max_frames)
        y = np.eye(len(self.data.labels), dtype=np.float32)[self._train_targets[rows]]
        return mixup(x, mask, y, settings.augmentation.mixup_alpha, rng)

    def _train_step(self, x: Any, mask: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = self.network([x, mask], training=True)
            losses = tf.keras.losses.categorical_crossentropy(
                y, logits, from_logits=True, label_smoothing=self.settings.label_smoothing
            )
            loss = tf.reduce_mean(losses)
        variables = self.network.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def _evaluate_inner(self) -> dict[str, float]:
        weights = networks.fold(self.network, self.spec)
        logits = networks.logits(self.spec, weights, self._inner)
        uar = unweighted_average_recall(logits.argmax(1), self._inner_targets, len(self.data.labels))
        temperature = fit_temperature(logits, self._inner_targets)
        loss = negative_log_likelihood(logits, self._inner_targets, temperature)
        # The loss, not the UAR: a few inner speakers make the UAR jump by ten points from one look to the next.
        if loss <= self.best_loss:
            self.best_uar, self.best_loss, self.best_epoch, self.best_weights = uar, loss, self.epoch, weights
        return {"inner_uar": uar, "inner_loss": loss}

    def _finished(self) -> TrainedModel:
        logits = networks.logits(self.spec, self.best_weights, self._inner)
        temperature = fit_temperature(logits, self._inner_targets)
        probabilities = Calibration(temperature=temperature).probabilities(logits)
        threshold = fit_threshold(probabilities, self._inner_targets, self.settings.no_decision_accuracy)
        return TrainedModel(
            network=self.spec,
            weights=self.best_weights,
            labels=self.data.labels,
            standardise_mean=self.data.mean,
            standardise_scale=self.data.scale,
            front_end=self.data.train.front_end,
            gate=self.data.train.gate,
            calibration=Calibration(temperature=temperature, threshold=threshold),
            label_smoothing=self.settings.label_smoothing,
        )

    def _save(self) -> None:
        variables = [*self.network.variables, *self.optimizer.variables]
        arrays = {f"variable{index}": variable.numpy() for index, variable in enumerate(variables)}
        best = np.array([self.best_uar, self.best_loss, self.best_epoch])
        arrays |= {"epoch": np.array(self.epoch), "best": best, "best_weights": self.best_weights}
        # The history first: one that is ahead of the checkpoint is cut to it, one that lags would have a hole.
        self.folder.write_json(HISTORY, self.history)
        self.folder.save_checkpoint(arrays)

    def _restore(self) -> None:
        arrays = self.folder.load_checkpoint()
        if arrays is None:
            return
        variables = [*self.network.variables, *self.optimizer.variables]
        stored = [arrays.get(f"variable{index}") for index in range(len(variables))]
        if any(s is None or s.shape != tuple(v.shape) for s, v in zip(stored, variables, strict=True)):
            raise TrainingError(f"the checkpoint in {self.folder.path} is of another network; use another folder")
        for variable, value in zip(variables, stored, strict=True):
            variable.assign(value)
        self.epoch = int(arrays["epoch"])
        self.best_uar, self.best_loss = float(arrays["best"][0]), float(arrays["best"][1])
        self.best_epoch, self.best_weights = int(arrays["best"][2]), arrays["best_weights"]
        self.history = self.folder.read_json(HISTORY)[: self.epoch]
