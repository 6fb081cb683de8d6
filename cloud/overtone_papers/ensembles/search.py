"""Hyperparameters by Hyperband (KerasTuner): the paper's ranges; the inner part decides, the test part stays unseen."""

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from overtone_cloud.errors import ConfigError, TrainingError
from overtone_models.digests import digest_mapping
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_papers.ensembles.data import LABELS
from overtone_papers.ensembles.experiment import Experiment
from overtone_papers.ensembles.networks import Job, job_of
from overtone_papers.ensembles.training import Prepared, prepare

Value = str | int | float
NAMES = ("kernel", "blocks", "first", "following", "units", "rate", "optimizer", "dropout")
BEST: Mapping[str, tuple[Value | None, ...]] = {
    "e-cnn2d-lstm": (5, 3, 128, 256, 48, 1e-4, "Adam", None),
    "e-cnn1d-lstm": (3, 2, 64, 128, 48, 2e-4, "Adam", 0.5),
    "e-lstm-cnn-1d": (3, 1, None, None, 52, 2e-4, "Adam", 0.2),
    "e-lstm-cnn-2d": (3, 2, 128, 256, 64, 2e-4, "Adam", 0.0),
    "e-cnn-transformer": (None, 4, 32, None, None, None, None, None),
}
"""The paper's tables 3, 5, 8 and 10 in the order of `NAMES`; None where it gives none."""

THREE_BLOCKS = ("e-cnn1d-lstm", "e-lstm-cnn-1d")
"""Forty means are too few for four blocks with a kernel of 5."""
FACTOR = 3
SEED = 0
TUNER_SEED = 1
"""Not 0, in whose place KerasTuner draws a seed of its own: no search could be repeated."""


def search(experiment: Experiment, network: str, split: str) -> dict[str, Any]:
    """Return the best hyperparameters, their inner accuracy, and every trial, as JSON.

    Trials are stored in the study's folder, so that an interrupted search resumes. What the tuner prints is discarded.
    """
    study, settings = experiment.study, experiment.settings
    epochs = settings.search_epochs
    job = job_of(settings, network, split, SEED)
    data = prepare(experiment.pool, experiment.fold(split, SEED), job)
    samples = len(data.rows["train"])
    inputs = {"corpora": study.digests, "calm": settings.calm, "samples": samples, "options": dict(job.options)}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")  # trials resume from weights alone
        tuner = _hyperband()(
            partial(_built, job),
            objective="val_accuracy",
            max_epochs=epochs,
            factor=FACTOR,
            seed=TUNER_SEED,
            directory=str(study.folder("search")),
            project_name=f"{network}-{split}-{epochs}-{digest_mapping(inputs)[:12]}",
            overwrite=False,
        )
        _run(tuner, data, job, study.log)
    trials = [t for t in tuner.oracle.trials.values() if t.score is not None]
    rows = [_trial(t) for t in sorted(trials, key=lambda t: (-t.score, t.trial_id))]
    return {"trials": rows, "best": rows[0], "epochs": epochs, "samples": samples}


def _trial(trial: Any) -> dict[str, Any]:
    values = {name: v for name, v in trial.hyperparameters.values.items() if not name.startswith("tuner/")}
    return {"score": round(float(trial.score), 4), **values}


def _hyperband() -> Any:
    try:
        import keras_tuner
    except ModuleNotFoundError as error:
        raise ConfigError("the library keras_tuner is not installed; pip install 'overtone[papers]'") from error

    class Hyperband(keras_tuner.Hyperband):  # type: ignore[misc]
        """Hyperband without TensorBoard, which the tuner imports although nothing here writes to it."""

        def _configure_tensorboard_dir(self, callbacks: Any, trial: Any, execution: int = 0) -> None:
            """Leave the callbacks as they are."""

    return Hyperband


def _run(tuner: Any, data: Prepared, job: Job, log: Callable[[str], None]) -> None:
    def ended(logs: Mapping[str, float] | None) -> None:
        log(f"search of {job.network}: a trial ends at {100 * (logs or {}).get('val_accuracy', 0.0):.1f} %")

    try:
        tuner.search(
            data.inputs["train"][0],
            data.targets["train"],
            validation_data=(data.inputs["inner"][0], data.targets["inner"]),
            batch_size=job.recipe.batch,
            verbose=0,
            callbacks=[tf.keras.callbacks.LambdaCallback(on_train_end=ended)],
        )
    except RuntimeError as error:  # what the tuner raises when one trial after the other fails
        reason = str(error).strip().splitlines()
        raise TrainingError(f"search of {job.network}: {reason[-1] if reason else error!r}") from error


def _built(job: Job, parameters: Any) -> Any:
    """Return the compiled network of a trial."""
    values = {name: parameters.Choice(name, list(options)) for name, options in ranges(job.network).items()}
    model = build(job.network, **{"classes": len(LABELS), **job.options, **options_of(job.network, values)})
    model.compile(
        optimizer=getattr(tf.keras.optimizers, values["optimizer"])(values["rate"]),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def ranges(network: str) -> dict[str, tuple[Value, ...]]:
    """Return each hyperparameter's values: the paper's for CNN2D-LSTM, shared by others where the paper is silent.

    The transformer doubles its filters from block to block, so that it has no `following`.
    """
    transformer = network == "e-cnn-transformer"
    rates: tuple[Value, ...] = (1e-3, 1e-4, 1e-5) if network == "e-cnn2d-lstm" else (1e-3, 2e-4, 1e-4, 1e-5)
    values: dict[str, tuple[Value, ...]] = {
        "kernel": (3, 5),
        "blocks": (1, 2, 3) if network in THREE_BLOCKS else (1, 2, 3, 4),
        "first": (16, 32, 64) if transformer else (32, 64, 128),
        "rate": rates,
        "optimizer": ("Adam", "RMSprop"),
    }
    if transformer:
        return {**values, "blocks": (3, 4), "dropout": (0.0, 0.1, 0.3)}
    values |= {"following": (64, 128, 256), "units": tuple(range(32, 65, 4))}
    return values if network == "e-cnn2d-lstm" else {**values, "dropout": (0.0, 0.2, 0.5)}


def options_of(network: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's build options for hyperparameters."""
    first, blocks = int(values["first"]), int(values["blocks"])
    if network == "e-cnn-transformer":
        filters = [first * 2**index for index in range(blocks)]
    else:
        filters = [first] + [int(values["following"])] * (blocks - 1)
    shared = {name: values[name] for name in ("kernel", "units", "dropout") if name in values}
    return {**shared, "filters": filters}
