"""Stacking: seven frozen binary networks, and a perceptron that learns from their probabilities."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_arrays
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_models.networks.papers.ensembles import meta
from overtone_papers.common import fitting
from overtone_papers.ensembles.division import Division
from overtone_papers.ensembles.material import LABELS, Material
from overtone_papers.ensembles.predictions import read_arrays
from overtone_papers.ensembles.recipes import Job
from overtone_papers.ensembles.training import Plan, keep_network, prepare

NETWORK = "e-stacking"
LEARNING_RATE, BATCH, EPOCHS, PATIENCE = 1e-3, 32, 200, 20


def binary_jobs(base: str, split: str, seed: int, *, options: Mapping[str, str | int]) -> tuple[Job, ...]:
    """Return the seven binary trainings, in the order of the labels."""
    return tuple(Job(network=base, split=split, seed=seed, options=options, target=label) for label in LABELS)


def train_meta(
    material: Material, division: Division, jobs: tuple[Job, ...], folder: Path, *, seed: int
) -> dict[str, Any]:
    """Train the perceptron on the training part's binary probabilities and return its figures as JSON.

    The inner part stops it. Its own predictions are written into `folder` beside the binary networks'.
    """
    kept = [read_arrays(folder / f"{job.name}.npz") for job in jobs]
    x: dict[str, F32] = {part: np.concatenate([k[part] for k in kept], 1) for part in ("train", "inner", "test")}
    y = {"train": material.y[kept[0]["train_rows"]], "inner": material.y[division.inner]}
    fitting.seed_all(seed)
    model = meta(classes=len(LABELS))
    history = fitting.fit(
        model,
        x["train"],
        y["train"],
        validation=(x["inner"], y["inner"]),
        optimizer=tf.keras.optimizers.Adam(LEARNING_RATE),
        epochs=EPOCHS,
        batch=BATCH,
        seed=seed,
        patience=PATIENCE,
        log=material.study.log,
        name=meta_name(jobs),
    )
    started = time.monotonic()
    found = {part: fitting.softmax(fitting.predict(model, x[part])) for part in ("test", "inner")}
    inference_s = time.monotonic() - started
    write_arrays(folder / f"{meta_name(jobs)}.npz", found, error=TrainingError)
    weights = {f"w{i:03}": w for i, w in enumerate(model.get_weights())}
    write_arrays(folder / f"{meta_name(jobs)}-weights.npz", weights, error=TrainingError)
    return {"history": history.to_json(), "seconds": history.seconds, "inference_s": round(inference_s, 4)}


def meta_name(jobs: tuple[Job, ...]) -> str:
    """Return the name of the perceptron's step and files."""
    first = jobs[0]
    return f"{NETWORK}-{first.name.replace(f'-only-{first.target}', '')}"


def keep_stacking(material: Material, division: Division, jobs: tuple[Job, ...], plan: Plan, folder: Path) -> None:
    """Put the trained parts together as one network and write it for devices."""
    options = {"base": jobs[0].network, **jobs[0].options}
    model = build(NETWORK, **options)
    for index, job in enumerate(jobs):
        model.get_layer(f"binary{index}").set_weights(_weights(folder / f"{job.name}-weights.npz"))
    perceptron = _weights(folder / f"{meta_name(jobs)}-weights.npz")
    model.get_layer("embedding").set_weights(perceptron[:2])
    model.get_layer("head").set_weights(perceptron[2:])
    data = prepare(material, division, jobs[0], plan)
    keep_network(material, division, NETWORK, model, options, data, jobs[0].seed)


def _weights(path: Path) -> list[F32]:
    arrays = read_arrays(path)
    return [arrays[name] for name in sorted(arrays)]
