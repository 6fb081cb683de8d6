"""Stacking: seven frozen binary networks, and a perceptron that learns from their probabilities."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_arrays
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_models.networks.papers.ensembles import meta
from overtone_papers.common import fitting, scoring
from overtone_papers.common.data import InnerFold
from overtone_papers.ensembles.data import LABELS, Pool
from overtone_papers.ensembles.networks import Job, Plan
from overtone_papers.ensembles.training import prepare, read_arrays, save_network, write_weights

NETWORK = "e-stacking"
LEARNING_RATE, BATCH, EPOCHS, PATIENCE = 1e-3, 32, 200, 20


def step_name(jobs: Sequence[Job]) -> str:
    """Return the name of the perceptron's step and files."""
    first = jobs[0]
    return f"{NETWORK}-{first.name.replace(f'-only-{first.target}', '')}"


def train_perceptron(pool: Pool, fold: InnerFold, jobs: Sequence[Job], folder: Path) -> dict[str, Any]:
    """Train on the training part's binary probabilities and return the figures as JSON; the inner part stops it.

    Its own predictions are written into `folder` beside the binary networks'.
    """
    binary = [read_arrays(folder / f"{job.name}.npz") for job in jobs]
    x: dict[str, F32] = {p: np.concatenate([each[p] for each in binary], 1) for p in ("train", "inner", "test")}
    seed, name = jobs[0].seed, step_name(jobs)
    fitting.seed_all(seed)
    model = meta(classes=len(LABELS))
    history = fitting.fit(
        model,
        x["train"],
        pool.y[binary[0]["train_rows"]],
        validation=(x["inner"], pool.y[pool.rows(fold.inner)]),
        optimizer=tf.keras.optimizers.Adam(LEARNING_RATE),
        epochs=EPOCHS,
        batch=BATCH,
        seed=seed,
        patience=PATIENCE,
        log=pool.study.log,
        name=name,
    )
    timed = {part: fitting.timed_prediction(model, x[part]) for part in ("test", "inner")}
    arrays = {part: scoring.softmax(logits) for part, (logits, _) in timed.items()}
    write_arrays(folder / f"{name}.npz", arrays, error=TrainingError)
    write_weights(folder / f"{name}-weights.npz", model)
    inference_s = sum(seconds for _, seconds in timed.values())
    return {"history": history.to_json(), "seconds": history.seconds, "inference_s": round(inference_s, 4)}


def save_stacking(pool: Pool, fold: InnerFold, jobs: Sequence[Job], plan: Plan, folder: Path) -> None:
    """Write the trained networks, joined into one, for devices."""
    options = {"base": jobs[0].network, **jobs[0].options}
    model = build(NETWORK, **options)
    for index, job in enumerate(jobs):
        model.get_layer(f"binary{index}").set_weights(_weights(folder / f"{job.name}-weights.npz"))
    perceptron = _weights(folder / f"{step_name(jobs)}-weights.npz")
    model.get_layer("embedding").set_weights(perceptron[:2])
    model.get_layer("head").set_weights(perceptron[2:])
    save_network(pool, fold, NETWORK, model, options, prepare(pool, fold, jobs[0], plan), jobs[0].seed)


def _weights(path: Path) -> list[F32]:
    arrays = read_arrays(path)
    return [arrays[name] for name in sorted(arrays)]
