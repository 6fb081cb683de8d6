"""One fold's trainings: the audio and text networks first, then the fusions that start from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.splits import Fold
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build, fusion
from overtone_papers.common import fitting
from overtone_papers.common.data import Rows, Scaler
from overtone_papers.common.report import History
from overtone_papers.common.saved_network import SavedNetwork
from overtone_papers.common.scoring import balanced_weights, softmax
from overtone_papers.common.study import no_log
from overtone_papers.fusion.data import LABELS, Data, Settings, inputs, network_of, padded, saved_systems, seconds_of

Log = Callable[[str], None]
Fitted = tuple[Any, dict[str, Any], History]
"""A network, what it was built with, and its curves."""
DIGITS = 5


class WarmUp(tf.keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A rate that grows linearly from 0 within the first steps and then stays."""

    def __init__(self, rate: float, steps: int) -> None:
        self.rate, self.steps = rate, steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        return self.rate * tf.minimum(1.0, tf.cast(step, tf.float32) / self.steps)


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


class FoldTrainer:
    """Trains one fold's networks; a single network is trained once and handed to every fusion.

    Systems are "audio", text sources, and fusions ("EF-WS"), which use the first text source of `data`.
    """

    def __init__(
        self, data: Data, fold: Fold, settings: Settings, *, seed: int, scale: float = 1.0, log: Log = no_log
    ) -> None:
        self.inputs = inputs(data, fold)
        self._data, self._settings, self._seed, self._log = data, settings, seed, log
        self._text = next(iter(data.tokens))
        self._filters = {"audio": round(scale * fusion.AUDIO_FILTERS), "text": round(scale * fusion.TEXT_FILTERS)}
        self._class_weights = balanced_weights(self.inputs.y[0], len(LABELS))
        self._trained: dict[str, Trained] = {}

    def results(self, systems: Sequence[str], *, folder: Path | None = None, split: str = "") -> dict[str, Any]:
        """Return test probabilities and curves of systems as JSON; save the networks into `folder` where given."""
        trained = {system: self.train(system) for system in systems}
        if folder is not None:
            for network, system in saved_systems(trained).items():
                self.save(folder / f"{network}-{self._data.name}", system, split)
        result = {
            "y": self.inputs.y[1].tolist(),
            "ids": [self._data.utterances[row].id for row in self.inputs.rows[1]],
            "train_n": len(self.inputs.y[0]),
            "systems": {name: one.to_json() for name, one in trained.items()},
        }
        tf.keras.backend.clear_session()
        return result

    def train(self, system: str) -> Trained:
        """Return the trained network of "audio", a text source or a fusion such as "EF-PT"."""
        if system not in self._trained:
            sources = ("audio", self._text) if "-" in system else (system,)
            model, options, history = self._fused(system, sources) if "-" in system else self._single(system)
            x = [self.inputs.x[source][1] for source in sources]
            logits, seconds = fitting.timed_prediction(model, x if len(x) > 1 else x[0])
            self._trained[system] = Trained(
                network=network_of(system),
                options=options,
                sources=sources,
                model=model,
                history=history,
                probabilities=softmax(logits),
                inference_ms=1000 * seconds / len(logits),
            )
        return self._trained[system]

    def _single(self, source: str) -> Fitted:
        options = self._options(source)
        fitting.seed_all(self._seed)
        model = build(network_of(source), **options)
        history = self._fit(model, self.inputs.x[source][0], source, self._warm_up(self._settings.learning_rate))
        return model, options, history

    def _fused(self, system: str, sources: Sequence[str]) -> Fitted:
        """Train early (EF) or late (LF) fusion from a cold start (CS), with frozen branches (PT) or warm (WS)."""
        settings, (place, start) = self._settings, system.split("-")
        strategy = {"CS": "cold", "PT": "pretrained", "WS": "warm"}[start]
        audio, text = map(self._options, sources)
        options = {name: size for name, size in (audio | text).items() if name != "filters"}
        options |= {"audio_filters": audio["filters"], "text_filters": text["filters"]}
        fitting.seed_all(self._seed)
        model = build(network_of(system), **options)
        if strategy != "cold":
            fusion.start_from(model, *(self.train(source).model for source in sources))
        fusion.prepare(model, strategy)
        x: Any = [self.inputs.x[source][0] for source in sources]
        optimizer = self._warm_up(settings.fine_tuning_rate if strategy == "warm" else settings.learning_rate)
        trained = model
        if strategy == "pretrained":
            if place == "LF":
                optimizer = tf.keras.optimizers.Adam(settings.late_rate)
            before, trained = fusion.halves(model)
            x = fitting.predict(before, x)
        epochs = settings.epochs if strategy == "cold" else settings.fusion_epochs
        return model, options, self._fit(trained, x, system, optimizer, epochs)

    def _options(self, source: str) -> dict[str, Any]:
        _, length, width = self.inputs.x[source][0].shape
        if source == "audio":
            return {"frames": length, "features": width, "filters": self._filters["audio"]}
        return {"tokens": length, "width": width, "filters": self._filters["text"]}

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

    def save(self, folder: Path, system: str, split: str) -> None:
        """Write a system's network with raw inputs: tracks are padded with the mean, so that padding scales to 0."""
        trained, data, arrays = self.train(system), self._data, self.inputs
        raw = {"audio": data.tracks, **data.tokens}
        shapes = {source: arrays.x[source][0].shape[1:] for source in trained.sources}
        scalers = {s: arrays.scaler if s == "audio" else Scaler.none(shape[1:]) for s, shape in shapes.items()}

        def padded_raw(rows: Rows) -> list[F32]:
            return [padded([raw[s][row] for row in rows], shape[0], scalers[s].mean) for s, shape in shapes.items()]

        SavedNetwork(
            network=trained.network,
            options=trained.options,
            weights=weights_as_built(trained),
            labels=LABELS,
            features=[self._feature(source) for source in shapes],
            shapes=list(shapes.values()),
            scalers=list(scalers.values()),
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
            window_s=seconds_of(shapes["audio"][0]) if "audio" in shapes else None,
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
