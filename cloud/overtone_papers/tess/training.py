"""One training of paper C's network, and the folder from which it goes on to devices."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import CORPORA
from overtone_models.features.means import MeanMfccSpec
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_papers.common import fitting
from overtone_papers.common.saved_network import write_rows
from overtone_papers.common.study import Study
from overtone_papers.tess.data import NETWORK, Data, Settings
from overtone_papers.tess.folds import Division

LEARNING_RATE = 1e-3


def train(
    study: Study, settings: Settings, data: Data, division: Division, *, seed: int, folder: Path | None = None
) -> dict[str, Any]:
    """Return curves, scores and times of one training as JSON; save the network into `folder` where given."""
    fitting.seed_all(seed)
    options = {"classes": len(data.labels), "steps": data.x.shape[1]}
    model = build(NETWORK, **options)
    mean, std = scaling(data.x[division.train], settings.scale)
    scaled = (data.x - mean) / std
    history = fitting.fit(
        model,
        scaled[division.train],
        data.y[division.train],
        validation=(scaled[division.test], data.y[division.test]),
        optimizer=tf.keras.optimizers.Adam(LEARNING_RATE),
        epochs=settings.epochs,
        batch=settings.batch,
        seed=seed,
        log=study.log,
        name=f"{data.name} {division.name}",
    )
    logits = fitting.predict(model, scaled[division.test])
    started = time.monotonic()
    fitting.predict(model, scaled[division.test])
    inference_ms = 1000 * (time.monotonic() - started) / len(division.test)
    if folder is not None:
        _save(folder, model, options, data, division, (mean, std), seed)
    return {
        "history": history.to_json(),
        "scores": fitting.scores(logits, data.y[division.test], data.labels),
        "seconds": history.seconds,
        "inference_ms": round(inference_ms, 4),
        "train_n": len(division.train),
        "parameters": int(model.count_params()),
    }


def scaling(x: F32, scale: str) -> tuple[F32, F32]:
    """Return `(steps, 1)` mean and deviation of the training part; 0 and 1 where nothing is scaled."""
    if scale == "none":
        return np.zeros(x.shape[1:], np.float32), np.ones(x.shape[1:], np.float32)
    return x.mean(0), np.maximum(x.std(0), np.float32(1e-6))


def _save(
    folder: Path,
    model: Any,
    options: dict[str, Any],
    data: Data,
    division: Division,
    standardisation: tuple[F32, F32],
    seed: int,
) -> None:
    """Write the network with raw features for its calibration and its test."""
    from overtone_models.window_model import WindowModel

    mean, std = standardisation
    source = CORPORA.get(data.utterances[0].corpus)
    WindowModel(
        network=NETWORK,
        options=options,
        labels=data.labels,
        features=(MeanMfccSpec().to_json(),),
        input_shapes=(data.x.shape[1:],),
        scale_mean=(mean,),
        scale_std=(std,),
        weights=[np.asarray(w) for w in model.get_weights()],
        lineage={"system": "C", "corpus": data.name, "corpus_digest": data.digest, "seed": seed},
        licence=source.licence if source else "unknown: that of the recordings it learned from",
        split="random, stratified by label, speakers shared",
    ).save(folder)
    write_rows(
        folder,
        train=division.train,
        test=division.test,
        inputs=lambda rows: [data.x[rows]],
        classes=lambda rows: data.y[rows],
        seed=seed,
    )
