"""Training of the edge network: inner speakers decide when to stop, test speakers never.

The network is trained on standardised bands, but its input on a device is standardised MFCC: at the end, the linear map
between the two (`TrainingInputs.bands`) is folded into the first layer. Trained on
MFCC, whose high orders standardisation
raises to the level of the low ones, it recognises unseen speakers less well (docs/recognition.md).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import TrainingError
from overtone_cloud.training.batches import Batches
from overtone_cloud.training.calibration_fit import calibration, default_calibration, sound_logits
from overtone_cloud.training.features import Features
from overtone_cloud.training.inputs import Surroundings, TrainingInputs, prepare, set_aside
from overtone_cloud.training.run_folder import HISTORY, Entry, Report, RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.calibration import Calibration, fit_temperature, negative_log_likelihood
from overtone_models.front_end import F32, dct_matrix
from overtone_models.metrics import unweighted_average_recall
from overtone_models.networks import edge_tcn as networks
from overtone_models.networks import tf
from overtone_models.trained_model import TrainedModel

COMPILED_FROM = 400
"""Compiling a step takes as long as some hundred plain steps: shorter trainings are not compiled."""


class Trainer:
    """One training; `run()` resumes from the run folder's checkpoint when there is one.

    Without inner speakers it runs to its last epoch.
    """

    def __init__(self, data: TrainingInputs, settings: TrainSettings, folder: RunFolder) -> None:
        self.data, self.settings, self.folder = data, settings, folder
        self.spec = settings.network(n_features=data.train.front_end.n_mfcc, n_classes=len(data.labels))
        tf.keras.utils.set_random_seed(settings.seed)
        band_spec = replace(self.spec, n_features=data.train.front_end.n_mels)
        self.network = networks.keras_model(band_spec, dropout=settings.dropout)
        self.batches = Batches(data, settings)
        self.optimizer = self._optimizer()
        self.optimizer.build(self.network.trainable_variables)
        self.averages = [tf.Variable(v, trainable=False) for v in self.network.trainable_variables]
        self.steps = tf.Variable(0.0, trainable=False)
        steps = settings.epochs * self.batches.steps
        self._step = tf.function(self._train_step, jit_compile=steps >= COMPILED_FROM)
        self._inner = data.utterances_of(data.inner)
        self._inner_targets = data.inner_targets
        self._dct, self._bands = dct_matrix(data.train.front_end), data.bands
        self.history: list[dict[str, float]] = []
        self.best_uar, self.best_loss, self.best_epoch = -1.0, np.inf, 0
        self.best_weights = self._folded()
        self.epoch = 0

    def _folded(self) -> F32:
        """Return the network's flat weights for a device's features."""
        return networks.fold(self.network, self.spec, self.data.bands)

    def _optimizer(self) -> Any:
        settings = self.settings
        total = settings.epochs * self.batches.steps
        warmup = min(settings.warmup_steps, max(1, total // 10))
        schedule = tf.keras.optimizers.schedules.CosineDecay(
            0.0, max(1, total - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
        )
        return tf.keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)

    def run(self, report: Report | None = None) -> TrainedModel:
        """Train until the inner speakers no longer improve, or to the end; return the best model, or the last."""
        self._restore()
        settings = self.settings
        while self.epoch < settings.epochs and self.epoch - self.best_epoch < settings.patience_epochs:
            loss = self._run_epoch()
            self.epoch += 1
            entry = {"epoch": float(self.epoch), "loss": loss}
            looks = self.epoch % settings.evaluate_every_epochs == 0 or self.epoch == settings.epochs
            if looks:
                entry |= self._evaluate_inner()
            self.history.append(entry)
            if looks:
                self._save()
            if report:
                report(entry)
        self.folder.write_json(HISTORY, self.history)
        return self._finished()

    def _run_epoch(self) -> float:
        rng = np.random.default_rng((self.settings.seed, self.epoch))
        losses = [float(self._step(*map(tf.constant, batch))) for batch in self.batches.epoch(rng)]
        mean = float(np.mean(losses))
        if not np.isfinite(mean):
            raise TrainingError(f"the loss of epoch {self.epoch + 1} is not finite: lower learning_rate")
        return mean

    def _mfcc(self, decibels: Any, counts: Any) -> tuple[Any, Any, Any]:
        """Return raw MFCC, 1 for frames of the utterances `(n, max_frames, 1)`, and the mask of whole hops."""
        inside = tf.sequence_mask(counts, decibels.shape[1], tf.float32)
        mask = tf.reduce_min(tf.reshape(inside, [decibels.shape[0], -1, self.spec.hop_frames]), 2)
        return tf.matmul(decibels, self._dct), inside[:, :, None], mask

    def _train_step(self, decibels: Any, counts: Any, y: Any) -> Any:
        """Take one step and return the loss; update the averaged weights, whose window is `average_steps`."""
        mfcc, inside, mask = self._mfcc(decibels, counts)
        x = tf.matmul((mfcc - self.data.mean) * self.data.scale * inside, self._bands)
        with tf.GradientTape() as tape:
            logits = self.network([x, mask], training=True)
            loss = self._loss(y, logits)
        variables = self.network.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.steps.assign_add(1.0)
        # Short at first, so that the random initial weights fade.
        part = 1.0 / tf.minimum(1.0 + self.steps / 10.0, float(self.settings.average_steps))
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign_add(part * (variable - average))
        return loss

    def _loss(self, y: Any, logits: Any) -> Any:
        """Return the cross-entropy; sounds, which have no class, count as every class alike and as no speech.

        The mean of the logits, to which the softmax is invariant, is the logit of speech (ADR 0026).
        """
        speech = tf.reduce_sum(y, 1, keepdims=True)
        targets = y + (1.0 - speech) / len(self.data.labels)
        smoothing = self.settings.label_smoothing
        cross_entropy = tf.keras.losses.categorical_crossentropy
        loss = tf.reduce_mean(cross_entropy(targets, logits, from_logits=True, label_smoothing=smoothing))
        if self.data.sounds and self.settings.sounds_per_batch:
            mean = tf.reduce_mean(logits, 1, keepdims=True)
            loss += tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(speech, mean))
        return loss

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights into the network inside the context."""
        variables = self.network.trainable_variables
        own = [variable.numpy() for variable in variables]
        for variable, average in zip(variables, self.averages, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(variables, own, strict=True):
                variable.assign(value)

    def _evaluate_inner(self) -> dict[str, float]:
        with self._averaged():
            weights = self._folded()
        if not self._inner:
            self.best_epoch, self.best_weights = self.epoch, weights
            return {}
        logits = networks.logits(self.spec, weights, self._inner)
        uar = unweighted_average_recall(logits.argmax(1), self._inner_targets, len(self.data.labels))
        temperature = fit_temperature(logits, self._inner_targets)
        loss = negative_log_likelihood(logits, self._inner_targets, temperature)
        # The loss, not the UAR: a few inner speakers make the UAR jump by ten points from one evaluation to the next.
        if loss <= self.best_loss:
            self.best_uar, self.best_loss, self.best_epoch, self.best_weights = uar, loss, self.epoch, weights
        return {"inner_uar": uar, "inner_loss": loss}

    def _finished(self) -> TrainedModel:
        model = TrainedModel(
            network=self.spec,
            weights=self.best_weights,
            labels=self.data.labels,
            standardise_mean=self.data.mean,
            standardise_scale=self.data.scale,
            front_end=self.data.train.front_end,
            gate=self.data.train.gate,
            calibration=Calibration(),
            label_smoothing=self.settings.label_smoothing,
        )
        sounds = sound_logits(model, self.data.calibration_sounds)
        speech = self._inner or self.data.utterances_of(self.data.train)
        logits = networks.logits(self.spec, self.best_weights, speech)
        if not self._inner:
            return replace(model, calibration=default_calibration(logits, sounds, self.settings))
        who = self.data.inner.speakers
        fitted = calibration(logits, self._inner_targets, sounds, self.settings, speakers=who)
        return replace(model, calibration=fitted)

    def _state(self) -> list[Any]:
        return [*self.network.variables, *self.optimizer.variables, *self.averages, self.steps]

    def _save(self) -> None:
        variables = self._state()
        arrays = {f"variable{index}": variable.numpy() for index, variable in enumerate(variables)}
        best = np.array([self.best_uar, self.best_loss, self.best_epoch])
        arrays |= {"epoch": np.array(self.epoch), "best": best, "best_weights": self.best_weights}
        # The history first: one ahead of the checkpoint is cut to it, one that lags would have a gap.
        self.folder.write_json(HISTORY, self.history)
        self.folder.save_checkpoint(arrays)

    def _restore(self) -> None:
        arrays = self.folder.load_checkpoint()
        if arrays is None:
            return
        variables = self._state()
        stored = [arrays.get(f"variable{index}") for index in range(len(variables))]
        if any(s is None or s.shape != tuple(v.shape) for s, v in zip(stored, variables, strict=True)):
            raise TrainingError(f"the checkpoint in {self.folder.path} is of another network; use another folder")
        for variable, value in zip(variables, stored, strict=True):
            variable.assign(value)
        self.epoch = int(arrays["epoch"])
        self.best_uar, self.best_loss = float(arrays["best"][0]), float(arrays["best"][1])
        self.best_epoch, self.best_weights = int(arrays["best"][2]), arrays["best_weights"]
        self.history = self.folder.read_json(HISTORY)[: self.epoch]


def fit(
    outer: Features,
    labels: tuple[str, ...],
    settings: TrainSettings,
    folder: RunFolder,
    *,
    around: Surroundings | None = None,
    cache: Path | None = None,
    report: Report | None = None,
    begin: Callable[[], None] = lambda: None,
) -> tuple[TrainedModel, list[Entry]]:
    """Return the model trained on the speakers of `outer`, and its history; resume from the checkpoint in `folder`.

    `begin` is called after all checks have passed, before the first epoch.
    """
    train, inner = set_aside(outer, settings)
    data = prepare(train, inner if settings.inner_fraction else None, labels, around, cache=cache)
    trainer = Trainer(data, settings, folder)
    begin()
    return trainer.run(report), trainer.history
