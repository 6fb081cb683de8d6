"""One fold's trainings: the audio and text networks first, then the fusions that start from them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.split_file import Fold
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build, fusion
from overtone_papers.common import fitting
from overtone_papers.common.report import History
from overtone_papers.common.study import no_log
from overtone_papers.fusion.data import Data, Inputs, inputs
from overtone_papers.fusion.saving import save_networks
from overtone_papers.fusion.settings import LABELS, Settings

DIGITS = 5


@tf.keras.utils.register_keras_serializable("overtone")
class WarmUp(tf.keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A rate that grows linearly from 0 within the first steps and then stays."""

    def __init__(self, rate: float, steps: int) -> None:
        self.rate, self.steps = rate, steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        return self.rate * tf.minimum(1.0, tf.cast(step, tf.float32) / self.steps)

    def get_config(self) -> dict[str, Any]:
        """Return what makes this schedule again."""
        return {"rate": self.rate, "steps": self.steps}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained network, what it was built with, and what it says of the test part."""

    network: str
    options: dict[str, Any]
    sources: tuple[str, ...]
    model: Any
    history: History
    probabilities: F32
    inference_ms: float


def train_fold(
    data: Data,
    fold: Fold,
    settings: Settings,
    *,
    systems: Sequence[str],
    seed: int,
    scale: float = 1.0,
    folder: Path | None = None,
    split: str = "",
    log: Callable[[str], None] = no_log,
) -> dict[str, Any]:
    """Return the test probabilities and curves of `systems` as JSON; save the networks into `folder` where given.

    Systems are "audio", text sources, and fusions ("EF-WS"), which use the first text source of `data`.
    """
    trainer = FoldTrainer(data, inputs(data, fold), settings, seed=seed, scale=scale, log=log)
    trained = {system: trainer.train(system) for system in systems}
    if folder is not None:
        save_networks(folder, trained, data, trainer.inputs, split=split, seed=seed)
    result = {
        "y": trainer.inputs.y[1].tolist(),
        "ids": [data.utterances[row].id for row in trainer.inputs.rows[1]],
        "train_n": len(trainer.inputs.y[0]),
        "systems": {name: _as_json(one) for name, one in trained.items()},
    }
    tf.keras.backend.clear_session()
    return result


class FoldTrainer:
    """Trains one fold's networks; a single network is trained once and handed to every fusion."""

    def __init__(
        self,
        data: Data,
        arrays: Inputs,
        settings: Settings,
        *,
        seed: int,
        scale: float = 1.0,
        log: Callable[[str], None] = no_log,
    ) -> None:
        self.inputs, self._settings, self._seed, self._log = arrays, settings, seed, log
        self._text = next(iter(data.tokens))
        self._filters = {
            "audio": round(scale * fusion.AUDIO_FILTERS),
            "text": round(scale * fusion.TEXT_FILTERS),
        }
        self._class_weights = fitting.balanced_weights(arrays.y[0], len(LABELS))
        self._done: dict[str, Trained] = {}

    def train(self, system: str) -> Trained:
        """Return the trained network of "audio", a text source or a fusion such as "EF-PT"."""
        if system not in self._done:
            self._done[system] = self._fused(system) if "-" in system else self._single(system)
        return self._done[system]

    def _single(self, source: str) -> Trained:
        network, options = self._described(source)
        fitting.seed_all(self._seed)
        model = build(network, **options)
        history = self._fit(model, self.inputs.x[source][0], source, self._rate(self._settings.learning_rate))
        return self._finished(network, options, (source,), model, history)

    def _fused(self, system: str) -> Trained:
        """Train early (EF) or late (LF) fusion from a cold start (CS), with frozen branches (PT) or warm (WS)."""
        place, start = system.split("-")
        network = {"EF": "d-early", "LF": "d-late"}[place]
        strategy = {"CS": "cold", "PT": "pretrained", "WS": "warm"}[start]
        audio, text = self._described("audio")[1], self._described(self._text)[1]
        options = {
            "frames": audio["frames"],
            "features": audio["features"],
            "tokens": text["tokens"],
            "width": text["width"],
            "audio_filters": audio["filters"],
            "text_filters": text["filters"],
        }
        fitting.seed_all(self._seed)
        model = build(network, **options)
        if strategy != "cold":
            fusion.start_from(model, self.train("audio").model, self.train(self._text).model)
        fusion.prepare(model, strategy)
        sources = ("audio", self._text)
        x = [self.inputs.x[source][0] for source in sources]
        rate = self._settings.fine_tuning_rate if strategy == "warm" else self._settings.learning_rate
        optimizer = self._rate(rate)
        if strategy == "pretrained":
            if place == "LF":
                optimizer = tf.keras.optimizers.Adam(self._settings.late_rate)
            before, behind = fusion.halves(model)
            history = self._fit(behind, fitting.predict(before, x), system, optimizer, self._settings.fusion_epochs)
        else:
            epochs = self._settings.epochs if strategy == "cold" else self._settings.fusion_epochs
            history = self._fit(model, x, system, optimizer, epochs)
        return self._finished(network, options, sources, model, history)

    def _described(self, source: str) -> tuple[str, dict[str, Any]]:
        _, length, width = self.inputs.x[source][0].shape
        if source == "audio":
            return "d-audio", {"frames": length, "features": width, "filters": self._filters["audio"]}
        return "d-text", {"tokens": length, "width": width, "filters": self._filters["text"]}

    def _rate(self, rate: float) -> Any:
        return tf.keras.optimizers.Adam(WarmUp(rate, self._settings.warmup_steps))

    def _fit(self, model: Any, x: Any, name: str, optimizer: Any, epochs: int | None = None) -> History:
        return fitting.fit(
            model,
            x,
            self.inputs.y[0],
            optimizer=optimizer,
            epochs=epochs or self._settings.epochs,
            batch=self._settings.batch,
            seed=self._seed,
            class_weights=self._class_weights,
            log=self._log,
            name=name,
        )

    def _finished(
        self, network: str, options: dict[str, Any], sources: tuple[str, ...], model: Any, history: History
    ) -> Trained:
        x = [self.inputs.x[source][1] for source in sources]
        given = x if len(x) > 1 else x[0]
        logits = fitting.predict(model, given)
        started = time.monotonic()
        fitting.predict(model, given)
        return Trained(
            network=network,
            options=options,
            sources=sources,
            model=model,
            history=history,
            probabilities=fitting.softmax(logits),
            inference_ms=1000 * (time.monotonic() - started) / len(logits),
        )


def _as_json(trained: Trained) -> dict[str, Any]:
    return {
        "probabilities": np.round(trained.probabilities.astype(np.float64), DIGITS).tolist(),
        "history": trained.history.to_json(),
        "inference_ms": round(trained.inference_ms, 3),
        "parameters": int(trained.model.count_params()),
    }
