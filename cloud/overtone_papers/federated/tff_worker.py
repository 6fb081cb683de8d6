"""Run by the Python of `.venv-tff`: one federated training on TensorFlow Federated.

    PYTHONPATH=common:models .venv-tff/bin/python tff_worker.py FOLDER

FOLDER holds plan.json and data.npz (x, y, order0.., weight0.., watched_x and watched_y); progress.jsonl gets one line
per round, result.npz the weights. This is the only module that imports TensorFlow Federated, and it imports
nothing of the cloud package, whose libraries that environment does not have.
"""

import contextlib
import functools
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_federated as tff  # type: ignore[import-not-found, unused-ignore]

from overtone_models.networks import papers, tf

Json = dict[str, Any]


def main(folder: Path) -> None:
    """Train as `folder/plan.json` says."""
    began = time.monotonic()
    plan: Json = json.loads((folder / "plan.json").read_text())
    with np.load(folder / "data.npz", allow_pickle=False) as stored:
        data = dict(stored)
    tff.backends.native.set_sync_local_cpp_execution_context(max_concurrent_computation_calls=plan["concurrency"])
    process = _process(plan, data)
    state = _with_weights(process, data)
    names = [f"order{index}" for index in range(plan["clients"])]
    progress = folder / "progress.jsonl"
    _write_line(progress, {"started": time.monotonic() - began, "tff": tff.__version__, "tensorflow": tf.__version__})
    for number in range(plan["rounds"]):
        started = time.monotonic()
        clients = [_dataset(data["x"], data["y"], data[name][number], plan["batch"]) for name in names]
        out = process.next(state, clients)
        state = out.state
        took = time.monotonic() - started
        figures = out.metrics["client_work"]["train"]
        line = {"number": number + 1, "loss": float(figures["loss"]), "accuracy": float(figures["accuracy"])}
        watched = _watched(plan, data, _weights(state))
        _write_line(progress, {**line, "watched": watched, "seconds": took})
        _end_with_parent(plan["parent"])
    np.savez(folder / "result.npz", **{f"weight{i}": w for i, w in enumerate(_weights(state))})


def _process(plan: Json, data: dict[str, Any]) -> Any:
    """Return weighted federated averaging with the plan's optimisers."""
    inputs = tf.TensorSpec([None, *data["x"].shape[1:]], tf.float32)

    def model_fn() -> Any:
        return tff.learning.models.from_keras_model(
            papers.build(plan["network"], **plan["network_options"]),
            input_spec=(inputs, tf.TensorSpec([None], tf.int64)),
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )

    return tff.learning.algorithms.build_weighted_fed_avg(
        model_fn, client_optimizer_fn=_optimizer(plan["client"]), server_optimizer_fn=_optimizer(plan["server"])
    )


def _optimizer(choice: Json) -> Any:
    if choice["kind"] == "sgd":
        return tff.learning.optimizers.build_sgdm(choice["learning_rate"])
    return tff.learning.optimizers.build_adam(choice["learning_rate"], epsilon=choice["epsilon"])


def _with_weights(process: Any, data: dict[str, Any]) -> Any:
    """Return the first state with the weights that both engines start from."""
    weights = [data[f"weight{index}"] for index in range(sum(name.startswith("weight") for name in data))]
    state = process.initialize()
    # Replaced here and not by `set_model_weights`, which would send the whole state to the executor and back.
    replaced = tff.learning.models.ModelWeights(trainable=weights, non_trainable=[])
    return state._replace(global_model_weights=replaced)


def _weights(state: Any) -> list[Any]:
    return [np.asarray(w) for w in state.global_model_weights.trainable]


def _dataset(x: Any, y: Any, order: Any, batch: int) -> Any:
    """Return the batches of `(local_epochs, n)` rows; none spans two epochs."""
    epochs = [tf.data.Dataset.from_tensor_slices((x[rows], y[rows])).batch(batch) for rows in order]
    return functools.reduce(tf.data.Dataset.concatenate, epochs)


def _watched(plan: Json, data: dict[str, Any], weights: list[Any]) -> float | None:
    """Return the share of the watched rows that these weights recognise."""
    if "watched_x" not in data:
        return None
    if "model" not in data:
        data["model"] = papers.build(plan["network"], **plan["network_options"])
    data["model"].set_weights(weights)
    logits = data["model"].predict(data["watched_x"], verbose=0)
    return float((logits.argmax(1) == data["watched_y"]).mean())


def _write_line(path: Path, line: Json) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _end_with_parent(parent: int) -> None:
    """Stop when the process that asked for this training has gone."""
    if os.getppid() != parent:
        raise SystemExit("the process that started this training has ended")


def end_children() -> None:
    """End the processes that TensorFlow Federated started and would leave behind, each by its own id."""
    for listed in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for child in listed.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    finally:
        end_children()
