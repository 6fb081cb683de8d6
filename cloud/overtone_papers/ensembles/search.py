"""Hyperparameters by Hyperband (KerasTuner): the inner part judges, the test part is not seen."""

import contextlib
import importlib
import io
import warnings
from collections.abc import Mapping
from typing import Any

from overtone_cloud.errors import ConfigError, TrainingError
from overtone_models.digests import digest_mapping
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_papers.ensembles.material import LABELS
from overtone_papers.ensembles.plans import QUICK_SEARCH_EPOCHS, SEARCH_EPOCHS, plan_of
from overtone_papers.ensembles.ranges import options_of, ranges
from overtone_papers.ensembles.recipes import Job, job
from overtone_papers.ensembles.runner import Runner
from overtone_papers.ensembles.training import Prepared, one_or_all, prepare

FACTOR = 3
SEED = 0


def search(runner: Runner, network: str, split: str) -> dict[str, Any]:
    """Return the best hyperparameters, their inner accuracy, and every trial, as JSON.

    Trials are kept in the study's folder, so that an interrupted search goes on. The tuner prints what it
    reads and where, which goes nowhere.
    """
    library = _keras_tuner()
    study, settings = runner.study, runner.settings
    epochs = QUICK_SEARCH_EPOCHS if study.quick else SEARCH_EPOCHS
    made = job(network, split, SEED, axis=settings.axis)
    plan = plan_of(made, settings, quick=study.quick)
    data = prepare(runner.material, runner.division(split, SEED), made, plan)
    inputs = {
        "corpora": study.digests,
        "calm": settings.calm,
        "samples": len(data.train),
        "options": dict(made.options),
    }
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")  # trials go on from weights alone
        tuner = _hyperband(library)(
            _builder(network, made),
            objective="val_accuracy",
            max_epochs=epochs,
            factor=FACTOR,
            seed=SEED,
            directory=str(study.folder("search")),
            project_name=f"{network}-{split}-{epochs}-{digest_mapping(inputs)[:12]}",
            overwrite=False,
        )
        _run(tuner, data, made, study.log)
    return _found(tuner, epochs, len(data.train))


def _hyperband(library: Any) -> Any:
    class Hyperband(library.Hyperband):  # type: ignore[misc]
        """Hyperband that does without TensorBoard, which the tuner imports although nobody writes to it."""

        def _configure_tensorboard_dir(self, callbacks: Any, trial: Any, execution: int = 0) -> None:
            """Leave the callbacks as they are."""

    return Hyperband


def _run(tuner: Any, data: Prepared, made: Job, log: Any) -> None:
    try:
        tuner.search(
            one_or_all(data.inputs["train"]),
            data.targets["train"],
            validation_data=(one_or_all(data.inputs["inner"]), data.targets["inner"]),
            batch_size=made.recipe.batch,
            verbose=0,
            callbacks=[_Told(log, made.network)],
        )
    except RuntimeError as error:  # what the tuner raises when one trial after the other fails
        reason = str(error).strip().splitlines()
        raise TrainingError(f"search of {made.network}: {reason[-1] if reason else error!r}") from error


def _builder(network: str, made: Job) -> Any:
    choices = ranges(network)

    def built(parameters: Any) -> Any:
        values = {name: parameters.Choice(name, list(options)) for name, options in choices.items()}
        model = build(network, **{"classes": len(LABELS), **made.options, **options_of(network, values)})
        model.compile(
            optimizer=getattr(tf.keras.optimizers, values["optimizer"])(values["rate"]),
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    return built


def _found(tuner: Any, epochs: int, samples: int) -> dict[str, Any]:
    trials = [t for t in tuner.oracle.trials.values() if t.score is not None]
    ranked = sorted(trials, key=lambda t: (-t.score, t.trial_id))
    rows = [{"score": round(float(t.score), 4), **_values(t.hyperparameters.values)} for t in ranked]
    return {"trials": rows, "best": rows[0], "epochs": epochs, "samples": samples}


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


class _Told(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Says each trial's result."""

    def __init__(self, log: Any, network: str) -> None:
        super().__init__()
        self._log, self._network = log, network

    def __deepcopy__(self, _memo: Any) -> "_Told":
        return _Told(self._log, self._network)  # the tuner copies callbacks for each trial

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Log the trial's last inner accuracy."""
        self._log(f"search of {self._network}: a trial ends at {100 * (logs or {}).get('val_accuracy', 0.0):.1f} %")


def _keras_tuner() -> Any:
    try:
        return importlib.import_module("keras_tuner")
    except ModuleNotFoundError as error:
        raise ConfigError("the library keras_tuner is not installed; pip install 'overtone[papers]'") from error
