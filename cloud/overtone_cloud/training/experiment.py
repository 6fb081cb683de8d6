"""Training and evaluation of one run: a corpus, a fold, settings, and the run folder that results."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import read_corpus, training_licence
from overtone_cloud.corpora.split_file import Fold, Split, load_split
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import TrainingError
from overtone_cloud.features.extraction import Progress
from overtone_cloud.training.features import Features, extract
from overtone_cloud.training.inputs import set_aside, surroundings
from overtone_cloud.training.metrics import Scores, scores
from overtone_cloud.training.plots import plot_confusion, plot_curves
from overtone_cloud.training.run_folder import METRICS, SPLIT, RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.digests import digest_mapping
from overtone_models.front_end import EDGE_FRONT_END, F32, FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.labels import ordered
from overtone_models.trained_model import TrainedModel

CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Training data of a run: corpus, split and fold; written to its folder, for evaluation and conversion.

    `sounds` is a folder of everyday sounds: its training half is noise under speech, and trains as no emotion.
    `speech` is a folder of read speech, for settings with `neutral_speech`.
    """

    corpus: Path
    corpus_name: str | None
    fold: str | None
    split: Split
    sounds: Path | None = None
    speech: Path | None = None

    @property
    def run_fold(self) -> Fold:
        """The fold of this run."""
        if self.fold is not None:
            return self.split.fold(self.fold)
        if len(self.split.folds) != 1:
            names = ", ".join(fold.name for fold in self.split.folds)
            raise TrainingError(f"the split has {len(self.split.folds)} folds: choose one of {names}")
        return self.split.folds[0]


def check_plan(folder: RunFolder, plan: Plan, settings: TrainSettings) -> None:
    """Raise TrainingError, which names what differs, where the folder holds another run."""
    if not (folder.path / CONFIG).exists():
        return
    stored = folder.read_json(CONFIG)
    # A setting that an older run does not name had its default.
    settings_then = TrainSettings.from_json(stored["settings"], where=str(folder.path / CONFIG)).to_json()
    stored, requested = _flat({**stored, "settings": settings_then}), _flat(_config(plan, settings))
    other = [name for name in requested | stored if not _same(name, stored.get(name), requested.get(name))]
    if other:
        differences = ", ".join(f"{name} is {stored.get(name)!r} there, {requested.get(name)!r} here" for name in other)
        raise TrainingError(
            f"{folder.path} holds a run with another split or other settings ({differences}); choose another folder"
        )


def save_plan(folder: RunFolder, plan: Plan, settings: TrainSettings) -> None:
    """Write config and split; refuse a folder that holds another run."""
    check_plan(folder, plan, settings)
    plan.split.save(folder.path / SPLIT)
    folder.write_json(CONFIG, _config(plan, settings))


def _config(plan: Plan, settings: TrainSettings) -> dict[str, Any]:
    return {
        "corpus": str(plan.corpus),
        "corpus_name": plan.corpus_name,
        "fold": plan.run_fold.name,
        "split_digest": digest_mapping(asdict(plan.split)),
        "sounds": None if plan.sounds is None else str(plan.sounds),
        "speech": None if plan.speech is None else str(plan.speech),
        "settings": settings.to_json(),
    }


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return nested tables flattened to one, with keys such as `settings.augmentation.conditioned`."""
    if not isinstance(value, dict):
        return {name: value}
    within = f"{name}." if name else ""
    return {key: flat for part, inner in value.items() for key, flat in _flat(inner, f"{within}{part}").items()}


def _same(name: str, one: Any, other: Any) -> bool:
    """Return whether config values are equivalent: one folder may be written as several paths."""
    if name in ("corpus", "sounds", "speech") and isinstance(one, str) and isinstance(other, str):
        return Path(one).resolve() == Path(other).resolve()
    return bool(one == other)


def load_plan(folder: RunFolder, corpus: Path | None = None) -> tuple[Plan, TrainSettings]:
    """Return the plan and the settings of a run folder; `corpus` names the corpus' folder where it has moved."""
    config = folder.read_json(CONFIG)
    try:
        path = Path(config["corpus"]) if corpus is None else corpus
        settings = TrainSettings.from_json(config["settings"], where=str(folder.path / CONFIG))
        split = load_split(folder.path / SPLIT)
        sounds, speech = (None if config.get(key) is None else Path(config[key]) for key in ("sounds", "speech"))
        name, fold = config["corpus_name"], config["fold"]
        return Plan(corpus=path, corpus_name=name, fold=fold, split=split, sounds=sounds, speech=speech), settings
    except (KeyError, TypeError) as error:
        raise TrainingError(f"{folder.path / CONFIG} lacks {error}") from error


def read_features(
    plan: Plan,
    *,
    front_end: FrontEndSpec | None = None,
    gate: GateSpec | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Reading, Features]:
    """Return the plan's corpus and its features; raise where the split was made for another corpus."""
    reading = read_corpus(plan.corpus, plan.corpus_name)
    plan.split.check(reading.utterances)
    features = extract(
        reading.labelled, front_end or EDGE_FRONT_END, gate or GateSpec(), cache=cache, progress=progress
    )
    return reading, features


def divide(features: Features, fold: Fold, settings: TrainSettings) -> tuple[Features, Features, Features]:
    """Return training, inner and test features; inner speakers are taken from the training part only.

    Without inner speakers the training part stands in for them.
    """
    train, inner = set_aside(features.where(fold.train), settings)
    return train, inner if len(inner) else train, features.where(fold.test)


def read_run_parts(
    folder: RunFolder, *, corpus: Path | None = None, cache: Path | None = None
) -> tuple[Features, Features, Features]:
    """Return a run's training, inner and test features; `corpus` names the corpus' folder where it has moved."""
    plan, settings = load_plan(folder, corpus)
    model = folder.load_model()
    _, features = read_features(plan, front_end=model.front_end, gate=model.gate, cache=cache)
    return divide(features, plan.run_fold, settings)


def train_run(
    plan: Plan,
    settings: TrainSettings,
    folder: RunFolder,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
    report: Any = None,
) -> tuple[TrainedModel, Scores]:
    """Train, evaluate on the fold's test part and write the run folder; an invalid plan or setting leaves no folder."""
    from overtone_cloud.training.trainer import fit

    check_plan(folder, plan, settings)
    around = surroundings(plan.sounds, settings, plan.speech)
    reading, features = read_features(plan, cache=cache, progress=progress)
    outer, test = features.where(plan.run_fold.train), features.where(plan.run_fold.test)
    labels = ordered({str(u.label) for u in outer.utterances})
    test.targets(labels)  # an untrained test label is an error before the training, not after it
    trained, history = fit(
        outer,
        labels,
        settings,
        folder,
        around=around,
        cache=cache,
        report=report,
        begin=lambda: save_plan(folder, plan, settings),
    )
    model = with_lineage(trained, reading, plan, settings)
    folder.save_model(model)
    plot_curves(history, folder.path / "curves.png")
    result = evaluate_model(model, test, plan, folder)
    return model, result


def summarise_seeds(results: Sequence[Scores], plan: Plan) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of one plan."""
    uars = np.array([scores.uar for scores in results])
    return {
        "split": plan.split.describe(),
        "fold": plan.run_fold.name,
        "speakers_shared": plan.split.speakers_shared,
        "seeds": len(results),
        "uar": [round(float(u), 4) for u in uars],
        "uar_mean": round(float(uars.mean()), 4),
        "uar_sd": round(float(uars.std(ddof=1)), 4) if len(uars) > 1 else None,
        "accuracy_mean": round(float(np.mean([scores.accuracy for scores in results])), 4),
    }


def with_lineage(model: TrainedModel, reading: Reading, plan: Plan, settings: TrainSettings) -> TrainedModel:
    """Return the model with its lineage and the licence that follows from its training data."""
    lineage = {
        "training_data": reading.corpus,
        "training_data_digest": reading.digest,
        "split": plan.split.describe(),
        "fold": plan.run_fold.name,
        "seed": str(settings.seed),
    }
    return replace(model, lineage=lineage, licence=training_licence(reading.corpus))


def evaluate_model(model: TrainedModel, test: Features, plan: Plan, folder: RunFolder) -> Scores:
    """Score the offline float network on test features and write metrics.json and confusion.png."""
    probabilities = predict(model, test)
    speakers = [u.speaker or "unknown" for u in test.utterances]
    result = scores(probabilities, test.targets(model.labels), model.labels, speakers, model.calibration.threshold)
    folder.write_json(
        METRICS,
        {
            **result.to_json(),
            "split": plan.split.describe(),
            "fold": plan.run_fold.name,
            "speakers_shared": plan.split.speakers_shared,
            "network": model.network.to_json(),
            "parameters": model.network.layout.size,
            "multiply_adds_3_s": model.network.multiply_adds_3_s,
            "skipped": list(test.skipped),
        },
    )
    title = f"{plan.split.describe()}\nUAR {100 * result.uar:.1f} % ({int(result.confusion.sum())} utterances)"
    plot_confusion(result.confusion, model.labels, title, folder.path / "confusion.png")
    return result


def predict(model: TrainedModel, features: Features) -> F32:
    """Return `(n, K)` calibrated probabilities by the offline float network."""
    from overtone_models.networks import edge_tcn

    if features.front_end.digest != model.front_end.digest:
        raise TrainingError(
            f"features have front end {features.front_end.digest[:12]}, the model {model.front_end.digest[:12]}"
        )
    utterances = [model.standardise(features.mfcc(i)) for i in range(len(features))]
    return model.calibration.probabilities(edge_tcn.logits(model.network, model.weights, utterances))
