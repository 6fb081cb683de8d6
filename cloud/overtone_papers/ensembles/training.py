"""One training of one network, or of the stacking's perceptron: figures, predictions and the network for devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from overtone_cloud.errors import TrainingError
from overtone_common.files import write_arrays
from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_models.networks.papers.ensembles import meta
from overtone_papers.common import fitting, scoring
from overtone_papers.common.data import InnerFold, Rows, Scaler
from overtone_papers.common.report import History
from overtone_papers.common.saved_network import SavedNetwork
from overtone_papers.ensembles.data import LABELS, SPECS, SPLITS, Pool, fit_scaler, thinned
from overtone_papers.ensembles.networks import Job

PREDICT_BATCH = 32
SHIFT_FRAMES, BAND_WIDTH, TIME_WIDTH = 25, 20, 25
STACKING = "e-stacking"
STACKING_RATE, STACKING_BATCH, STACKING_EPOCHS, STACKING_PATIENCE = 1e-3, 32, 200, 20


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job's scaled inputs and targets by part, the inputs' scalers, and the parts' rows."""

    inputs: Mapping[str, list[F32]]
    targets: Mapping[str, Rows]
    scalers: tuple[Scaler, ...]
    rows: Mapping[str, Rows]


def prepare(pool: Pool, fold: InnerFold, job: Job) -> Prepared:
    """Return the scaled inputs and targets of training, inner and test part; scalers see the training part only."""
    train = thinned([pool.utterances[row] for row in pool.rows(fold.train)], job.samples, job.seed)
    rows = {part: pool.rows(ids) for part, ids in (("train", train), ("inner", fold.inner), ("test", fold.test))}
    raw = [pool.feature(name) for name in job.recipe.inputs]
    scalers = tuple(fit_scaler(x[rows["train"]], job.scaler if job.scaled else "none") for x in raw)
    inputs = {part: [scale(x[own]) for scale, x in zip(scalers, raw, strict=True)] for part, own in rows.items()}
    y = pool.y if job.target is None else pool.y == LABELS.index(job.target)
    return Prepared(inputs, {part: y[own] for part, own in rows.items()}, scalers, rows)


def train(pool: Pool, fold: InnerFold, job: Job, folder: Path) -> dict[str, Any]:
    """Return a training's figures as JSON; write predictions (and weights, network) to `folder`."""
    data = prepare(pool, fold, job)
    tf.keras.backend.clear_session()  # a study trains dozens of networks and needs none of them later
    fitting.seed_all(job.seed)
    options = {**job.options, **({} if job.target is None else {"classes": 1})}
    model = build(job.network, **options)
    history = _fit(model, data, job, pool.study.log)
    logits, seconds = fitting.timed_prediction(model, data.inputs["test"], batch=PREDICT_BATCH)
    arrays = {"test": probabilities(logits), "train_rows": data.rows["train"]}
    for part in ("inner",) if job.target is None else ("inner", "train"):
        arrays[part] = probabilities(fitting.predict(model, data.inputs[part], batch=PREDICT_BATCH))
    if job.target is not None:
        _write_weights(folder / f"{job.name}-weights.npz", model)
    write_arrays(folder / f"{job.name}.npz", arrays, error=TrainingError)
    if job.saved:
        _save_network(pool, fold, job, job.network, model, options, data)
    return {
        "history": history.to_json(),
        "seconds": history.seconds,
        "inference_s": round(seconds, 4),
        "inference_n": len(fold.test),
        "train_n": len(data.rows["train"]),
        "parameters": int(model.count_params()),
    }


def _fit(model: Any, data: Prepared, job: Job, log: Any) -> History:
    recipe, binary = job.recipe, job.target is not None
    targets = {part: y.astype(np.float32)[:, None] if binary else y for part, y in data.targets.items()}
    return fitting.fit(
        varied(model) if job.augment else model,
        data.inputs["train"],
        targets["train"],
        validation=(data.inputs["inner"], targets["inner"]),
        optimizer=tf.keras.optimizers.Adam(recipe.learning_rate),
        loss=tf.keras.losses.BinaryCrossentropy(from_logits=True) if binary else None,
        epochs=job.epochs,
        batch=recipe.batch,
        seed=job.seed,
        patience=recipe.patience,
        class_weights=scoring.balanced_weights(data.targets["train"].astype(np.int64), 2) if binary else None,
        log=log,
        name=job.name,
    )


def probabilities(logits: F32) -> F32:
    """Return `(n, K)` probabilities of logits, or `(n, 1)` of a binary network's."""
    if logits.shape[1] > 1:
        return scoring.softmax(logits)
    result: F32 = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)  # a sigmoid that cannot overflow
    return result


def stacking_name(jobs: Sequence[Job]) -> str:
    """Return the name of the perceptron's step and files."""
    first = jobs[0]
    return f"{STACKING}-{first.name.replace(f'-only-{first.target}', '')}"


def train_stacking(pool: Pool, fold: InnerFold, jobs: Sequence[Job], folder: Path) -> dict[str, Any]:
    """Return the figures of a perceptron that learns from the probabilities of seven frozen binary networks.

    The inner part stops it. Its predictions are written into `folder` beside the binary networks', and once all
    eight joined into one network for devices.
    """
    binary = [read_arrays(folder / f"{job.name}.npz") for job in jobs]
    x: dict[str, F32] = {p: np.concatenate([each[p] for each in binary], 1) for p in ("train", "inner", "test")}
    seed, name = jobs[0].seed, stacking_name(jobs)
    fitting.seed_all(seed)
    model = meta(classes=len(LABELS))
    history = fitting.fit(
        model,
        x["train"],
        pool.y[binary[0]["train_rows"]],
        validation=(x["inner"], pool.y[pool.rows(fold.inner)]),
        optimizer=tf.keras.optimizers.Adam(STACKING_RATE),
        epochs=STACKING_EPOCHS,
        batch=STACKING_BATCH,
        seed=seed,
        patience=STACKING_PATIENCE,
        log=pool.study.log,
        name=name,
    )
    timed = {part: fitting.timed_prediction(model, x[part]) for part in ("test", "inner")}
    arrays = {part: scoring.softmax(logits) for part, (logits, _) in timed.items()}
    write_arrays(folder / f"{name}.npz", arrays, error=TrainingError)
    _write_weights(folder / f"{name}-weights.npz", model)
    if jobs[0].first:
        _save_stacking(pool, fold, jobs, model.get_weights(), folder)
    inference_s = sum(seconds for _, seconds in timed.values())
    return {"history": history.to_json(), "seconds": history.seconds, "inference_s": round(inference_s, 4)}


def _save_stacking(pool: Pool, fold: InnerFold, jobs: Sequence[Job], perceptron: list[F32], folder: Path) -> None:
    options = {"base": jobs[0].network, **jobs[0].options}
    model = build(STACKING, **options)
    for index, job in enumerate(jobs):
        weights = sorted(read_arrays(folder / f"{job.name}-weights.npz").items())
        model.get_layer(f"binary{index}").set_weights([array for _, array in weights])
    model.get_layer("embedding").set_weights(perceptron[:2])
    model.get_layer("head").set_weights(perceptron[2:])
    _save_network(pool, fold, jobs[0], STACKING, model, options, prepare(pool, fold, jobs[0]))


def _save_network(
    pool: Pool, fold: InnerFold, job: Job, network: str, model: Any, options: Mapping[str, Any], data: Prepared
) -> None:
    """Write a trained network with unscaled features for its calibration and its test, for `overtone convert`."""
    corpora = sorted(set(pool.origins.tolist()))
    SavedNetwork(
        network=network,
        options=options,
        weights=model.get_weights(),
        labels=LABELS,
        features=[SPECS[name].to_json() for name in job.recipe.inputs],
        shapes=[x.shape[1:] for x in data.inputs["test"]],
        scalers=data.scalers,
        corpora=corpora,
        split=SPLITS[fold.name],
        seed=job.seed,
        lineage={"system": "E", "corpora": ", ".join(corpora), "quick": pool.study.quick},
    ).save(
        pool.study.folder(f"networks/{network}"),
        train=data.rows["train"],
        test=data.rows["test"],
        inputs=lambda rows: [pool.feature(name)[rows] for name in job.recipe.inputs],
        classes=pool.y.__getitem__,
    )


def _write_weights(path: Path, model: Any) -> None:
    """Write a network's weights in Keras' order."""
    write_arrays(path, {f"w{i:03}": w for i, w in enumerate(model.get_weights())}, error=TrainingError)


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of an npz; raise TrainingError that names an unreadable file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise TrainingError(
            f"{path}: predictions cannot be read ({error}): remove it, and its training is done again"
        ) from error


class Varied(tf.keras.layers.Layer):  # type: ignore[misc]
    """`(batch, mels, frames, 1)` standardised log-mels, varied in training only; masks hold the mean, 0."""

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, each shifted later by up to 25 frames, with one band and one time masked."""
        if not training:
            return x
        padded = tf.pad(x, [[0, 0], [0, 0], [SHIFT_FRAMES, 0], [0, 0]], "SYMMETRIC")
        start = tf.random.uniform([], 0, SHIFT_FRAMES + 1, tf.int32)
        shifted = tf.slice(padded, [0, 0, start, 0], [-1, -1, x.shape[2], -1])
        return shifted * _mask(x, 1, BAND_WIDTH) * _mask(x, 2, TIME_WIDTH)


def _mask(x: Any, axis: int, widest: int) -> Any:
    """Return a mask with a run of zeros of random place and width for each sample, broadcast against `x`."""
    batch, size = tf.shape(x)[0], x.shape[axis]
    width = tf.random.uniform([batch, 1], 0, widest + 1, tf.int32)
    first = tf.cast(tf.random.uniform([batch, 1]) * tf.cast(size - width + 1, tf.float32), tf.int32)
    places = tf.range(size)[None]
    mask = tf.cast((places < first) | (places >= first + width), tf.float32)
    shape = [-1, 1, 1, 1]
    shape[axis] = size
    return tf.reshape(mask, shape)


def varied(model: Any) -> Any:
    """Return a network that trains `model` (the same weights) on varied log-mels; mean vectors pass unchanged."""
    keras = tf.keras
    inputs = [keras.Input(tuple(each.shape[1:])) for each in model.inputs]
    varied_inputs = [Varied()(each) if len(each.shape) == 4 else each for each in inputs]
    single = len(inputs) == 1
    return keras.Model(inputs[0] if single else inputs, model(varied_inputs[0] if single else varied_inputs))
