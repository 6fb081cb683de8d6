"""One fold's trainings: the audio and text networks first, then the fusions that start from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.splits import Fold
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build, fusion
from overtone_papers.common import fitting
from overtone_papers.common.data import Scaler
from overtone_papers.common.report import History
from overtone_papers.common.saved_network import SavedNetwork
from overtone_papers.common.scoring import balanced_weights, softmax
from overtone_papers.common.study import no_log
from overtone_papers.fusion.data import (
    HOP_S,
    LABELS,
    WINDOW_S,
    Data,
    Settings,
    inputs,
    padded,
    saved_systems,
)

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
    """A trained network, what it was built with, and its answers to the test part."""

    network: str
    options: dict[str, Any]
    sources: tuple[str, ...]
    model: Any
    history: History
    probabilities: F32
    inference_ms: float

    def to_json(self) -> dict[str, Any]:
        """Return probabilities, curves, time and size as JSON."""
        return {
            "probabilities": np.round(self.probabilities.astype(np.float64), DIGITS).tolist(),
            "history": self.history.to_json(),
            "inference_ms": round(self.inference_ms, 3),
            "parameters": int(self.model.count_params()),
        }


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
    trainer = FoldTrainer(data, fold, settings, seed=seed, scale=scale, log=log)
    trained = {system: trainer.train(system) for system in systems}
    if folder is not None:
        for network, system in saved_systems(trained).items():
            trainer.save(folder / f"{network}-{data.name}", system, split)
    arrays = trainer.inputs
    result = {
        "y": arrays.y[1].tolist(),
        "ids": [data.utterances[row].id for row in arrays.rows[1]],
        "train_n": len(arrays.y[0]),
        "systems": {name: one.to_json() for name, one in trained.items()},
    }
    tf.keras.backend.clear_session()
    return result


class FoldTrainer:
    """Trains one fold's networks; a single network is trained once and handed to every fusion."""

    def __init__(
        self,
        data: Data,
        fold: Fold,
        settings: Settings,
        *,
        seed: int,
        scale: float = 1.0,
        log: Callable[[str], None] = no_log,
    ) -> None:
        self.inputs = inputs(data, fold)
        self._data, self._settings, self._seed, self._log = data, settings, seed, log
        self._text = next(iter(data.tokens))
        self._filters = {"audio": round(scale * fusion.AUDIO_FILTERS), "text": round(scale * fusion.TEXT_FILTERS)}
        self._class_weights = balanced_weights(self.inputs.y[0], len(LABELS))
        self._trained: dict[str, Trained] = {}

    def train(self, system: str) -> Trained:
        """Return the trained network of "audio", a text source or a fusion such as "EF-PT"."""
        if system not in self._trained:
            self._trained[system] = self._fused(system) if "-" in system else self._single(system)
        return self._trained[system]

    def _single(self, source: str) -> Trained:
        network, options = self._described(source)
        fitting.seed_all(self._seed)
        model = build(network, **options)
        history = self._fit(model, self.inputs.x[source][0], source, self._warm_up(self._settings.learning_rate))
        return self._tested(network, options, (source,), model, history)

    def _fused(self, system: str) -> Trained:
        """Train early (EF) or late (LF) fusion from a cold start (CS), with frozen branches (PT) or warm (WS)."""
        settings, (place, start) = self._settings, system.split("-")
        network = {"EF": "d-early", "LF": "d-late"}[place]
        strategy = {"CS": "cold", "PT": "pretrained", "WS": "warm"}[start]
        audio, text = self._described("audio")[1], self._described(self._text)[1]
        options = {name: size for name, size in (audio | text).items() if name != "filters"}
        options |= {"audio_filters": audio["filters"], "text_filters": text["filters"]}
        fitting.seed_all(self._seed)
        model = build(network, **options)
        if strategy != "cold":
            fusion.start_from(model, self.train("audio").model, self.train(self._text).model)
        fusion.prepare(model, strategy)
        sources = ("audio", self._text)
        x: Any = [self.inputs.x[source][0] for source in sources]
        optimizer = self._warm_up(settings.fine_tuning_rate if strategy == "warm" else settings.learning_rate)
        trained = model
        if strategy == "pretrained":
            if place == "LF":
                optimizer = tf.keras.optimizers.Adam(settings.late_rate)
            before, trained = fusion.halves(model)
            x = fitting.predict(before, x)
        epochs = settings.epochs if strategy == "cold" else settings.fusion_epochs
        return self._tested(network, options, sources, model, self._fit(trained, x, system, optimizer, epochs))

    def _described(self, source: str) -> tuple[str, dict[str, Any]]:
        _, length, width = self.inputs.x[source][0].shape
        if source == "audio":
            return "d-audio", {"frames": length, "features": width, "filters": self._filters["audio"]}
        return "d-text", {"tokens": length, "width": width, "filters": self._filters["text"]}

    def _warm_up(self, rate: float) -> Any:
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

    def _tested(
        self, network: str, options: dict[str, Any], sources: tuple[str, ...], model: Any, history: History
    ) -> Trained:
        x = [self.inputs.x[source][1] for source in sources]
        logits, seconds = fitting.timed_prediction(model, x if len(x) > 1 else x[0])
        return Trained(
            network=network,
            options=options,
            sources=sources,
            model=model,
            history=history,
            probabilities=softmax(logits),
            inference_ms=1000 * seconds / len(logits),
        )

    def save(self, folder: Path, system: str, split: str) -> None:
        """Write a system's network with raw inputs: tracks are padded with the mean, so that padding scales to 0."""
        trained, data, arrays = self.train(system), self._data, self.inputs
        shapes = [tuple(arrays.x[source][0].shape[1:]) for source in trained.sources]
        scalers = {source: Scaler.none((len(own[0][0]),)) for source, own in data.tokens.items()}
        scalers["audio"] = arrays.scaler
        raw = {"audio": data.tracks, **data.tokens}

        def padded_raw(rows: Iterable[int]) -> list[F32]:
            chosen = list(rows)
            return [
                padded([raw[source][row] for row in chosen], shape[0], scalers[source].mean)
                for source, shape in zip(trained.sources, shapes, strict=True)
            ]

        SavedNetwork(
            network=trained.network,
            options=trained.options,
            weights=weights_as_built(trained),
            labels=LABELS,
            features=[self._feature(source) for source in trained.sources],
            shapes=shapes,
            scalers=[scalers[source] for source in trained.sources],
            corpora={data.utterances[0].corpus},
            split=split,
            seed=self._seed,
            lineage={
                "system": "D",
                "trained_as": system,
                "corpus": data.name,
                "corpus_digest": data.digest,
                "padding": "frames and tokens that are zero after standardisation are masked: pad raw with the mean",
            },
            window_s=WINDOW_S + HOP_S * (shapes[0][0] - 1) if trained.sources[0] == "audio" else None,
        ).save(folder, train=arrays.rows[0], test=arrays.rows[1], inputs=padded_raw, classes=lambda rows: data.y[rows])

    def _feature(self, source: str) -> Mapping[str, Any]:
        if source == "audio":
            return dict(self._data.features)
        return {"name": "text", "source": source, "width": int(self._data.tokens[source][0].shape[1])}


def weights_as_built(trained: Trained) -> list[F32]:
    """Return the weights in the order of a freshly built network: frozen layers may have changed the model's."""
    fresh = build(trained.network, **trained.options)
    for layer in fresh.layers:
        layer.set_weights(trained.model.get_layer(layer.name).get_weights())
    return [np.asarray(array) for array in fresh.get_weights()]
