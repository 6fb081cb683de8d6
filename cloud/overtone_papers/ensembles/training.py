"""One training of one network, and what it leaves: figures, predictions and, once, the network for devices."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import CORPORA
from overtone_cloud.errors import TrainingError
from overtone_cloud.training.metrics import Targets
from overtone_common.files import write_arrays
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_models.window_model import CALIBRATION, DESCRIPTION, TEST, WEIGHTS, WindowModel
from overtone_papers.common import fitting
from overtone_papers.common.saved_network import write_rows
from overtone_papers.ensembles.augmenting import varied
from overtone_papers.ensembles.division import DESCRIPTIONS, Division, thinned
from overtone_papers.ensembles.material import LABELS, SPECS, Material, Rows, Scaler, fit_scaler
from overtone_papers.ensembles.recipes import LOG_MEL, Job

PREDICT_BATCH = 32
NETWORK_FILES = (DESCRIPTION, WEIGHTS, CALIBRATION, TEST)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and on how much a job trains, how its log-mels are scaled, and whether they are varied."""

    epochs: int
    samples: int
    scaler: str
    augment: bool = False


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job's scaled inputs by part, the features that they are, and their scalers."""

    names: tuple[str, ...]
    inputs: Mapping[str, list[F32]]
    targets: Mapping[str, Targets]
    scalers: tuple[Scaler, ...]
    train: Rows


def prepare(material: Material, division: Division, job: Job, plan: Plan) -> Prepared:
    """Return the scaled inputs and targets of training, inner and test part; scalers see the training part only."""
    labels = [str(u.label) for u in material.utterances]
    train = thinned(division.train, labels, plan.samples, job.seed)
    rows = {"train": train, "inner": division.inner, "test": division.test}
    names = job.recipe.inputs
    kind = plan.scaler if job.scaled else "none"
    scalers = tuple(fit_scaler(x, kind) for x in material.inputs(names, train))
    inputs = {
        part: [scale(x) for scale, x in zip(scalers, material.inputs(names, own), strict=True)]
        for part, own in rows.items()
    }
    wanted = None if job.target is None else LABELS.index(job.target)
    targets = {part: material.y[own] if wanted is None else material.y[own] == wanted for part, own in rows.items()}
    return Prepared(names, inputs, targets, scalers, train)


def train(material: Material, division: Division, job: Job, plan: Plan, folder: Path) -> dict[str, Any]:
    """Return a training's figures as JSON; predictions (and weights, network) are written into `folder`."""
    data = prepare(material, division, job, plan)
    tf.keras.backend.clear_session()  # a study trains dozens of networks, none of which is needed later
    fitting.seed_all(job.seed)
    options = {**job.options, **({} if job.target is None else {"classes": 1})}
    model = build(job.network, **options)
    history = _fit(model, data, job, plan, material.study.log)
    probabilities_of(model, [x[:PREDICT_BATCH] for x in data.inputs["test"]])  # traces the graph
    started = time.monotonic()
    probabilities = {"test": probabilities_of(model, data.inputs["test"])}
    inference_s = time.monotonic() - started
    probabilities["inner"] = probabilities_of(model, data.inputs["inner"])
    if job.target is not None:
        probabilities["train"] = probabilities_of(model, data.inputs["train"])
        write_arrays(
            folder / f"{job.name}-weights.npz",
            {f"w{i:03}": w for i, w in enumerate(model.get_weights())},
            error=TrainingError,
        )
    write_arrays(folder / f"{job.name}.npz", {**probabilities, "train_rows": data.train}, error=TrainingError)
    if job.saved:
        keep_network(material, division, job.network, model, options, data, job.seed)
    return {
        "history": history.to_json(),
        "seconds": history.seconds,
        "inference_s": round(inference_s, 4),
        "inference_n": len(division.test),
        "train_n": len(data.train),
        "parameters": int(model.count_params()),
    }


def _fit(model: Any, data: Prepared, job: Job, plan: Plan, log: Any) -> fitting.History:
    recipe = job.recipe
    losses, varies = tf.keras.losses, plan.augment and LOG_MEL in recipe.inputs
    targets = {part: y.astype(np.float32)[:, None] if job.target else y for part, y in data.targets.items()}
    weights = fitting.balanced_weights(data.targets["train"].astype(np.int64), 2) if job.target else None
    return fitting.fit(
        varied(model) if varies else model,
        one_or_all(data.inputs["train"]),
        targets["train"],
        validation=(one_or_all(data.inputs["inner"]), targets["inner"]),
        optimizer=tf.keras.optimizers.Adam(recipe.learning_rate),
        loss=losses.BinaryCrossentropy(from_logits=True) if job.target else None,
        epochs=plan.epochs,
        batch=recipe.batch,
        seed=job.seed,
        patience=recipe.patience,
        monitor="val_loss",
        class_weights=weights,
        log=log,
        name=job.name,
    )


def one_or_all(inputs: Sequence[F32]) -> F32 | list[F32]:
    """Return the one input of a network, or the list of several."""
    return list(inputs) if len(inputs) > 1 else inputs[0]


def probabilities_of(model: Any, inputs: Sequence[F32]) -> F32:
    """Return `(n, K)` probabilities, or `(n, 1)` of a binary network."""
    logits = fitting.predict(model, one_or_all(inputs), batch=PREDICT_BATCH)
    if logits.shape[1] > 1:
        return fitting.softmax(logits)
    result: F32 = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)  # a sigmoid that cannot overflow
    return result


def keep_network(
    material: Material,
    division: Division,
    network: str,
    model: Any,
    options: Mapping[str, Any],
    data: Prepared,
    seed: int,
) -> None:
    """Write a trained network with raw features for its calibration and its test, as `overtone convert` takes it."""
    corpora = sorted(set(material.origins.tolist()))
    folder = material.study.folder(f"networks/{network}")
    WindowModel(
        network=network,
        options=options,
        labels=LABELS,
        features=tuple(SPECS[name].to_json() for name in data.names),
        input_shapes=tuple(x.shape[1:] for x in data.inputs["test"]),
        scale_mean=tuple(s.mean for s in data.scalers),
        scale_std=tuple(s.std for s in data.scalers),
        weights=[np.asarray(w) for w in model.get_weights()],
        lineage={"system": "E", "corpora": ", ".join(corpora), "seed": seed, "quick": material.study.quick},
        licence="; ".join(CORPORA[c].licence for c in corpora if c in CORPORA) or "that of the recordings",
        split=DESCRIPTIONS[division.kind],
    ).save(folder)
    write_rows(
        folder,
        train=data.train,
        test=division.test,
        inputs=lambda rows: material.inputs(data.names, rows),
        classes=lambda rows: material.y[rows],
        seed=seed,
    )


def network_files(study_out: Path, network: str) -> list[Path]:
    """Return the files that `keep_network` leaves."""
    return [study_out / "networks" / network / name for name in NETWORK_FILES]
