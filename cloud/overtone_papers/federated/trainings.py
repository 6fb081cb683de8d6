"""One central or federated training and its test, and the folder from which a network goes on to devices."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overtone_cloud.corpora.registry import CORPORA
from overtone_models.front_end import F32
from overtone_models.networks import papers, tf
from overtone_papers.common import fitting
from overtone_papers.common.saved_network import write_rows
from overtone_papers.common.study import Study
from overtone_papers.federated.data import LABELS, Data, Division, Scaling, majority, scaling
from overtone_papers.federated.federation import ClientData, Engine, OptimizerChoice, Plan
from overtone_papers.federated.own_engine import OwnEngine
from overtone_papers.federated.settings import Recipe, Settings
from overtone_papers.federated.tff_engine import TffEngine

SPLIT_TEXTS = {
    "random": "random 80/20, stratified by label, speakers shared",
    "speaker": "by speaker: a fifth of the speakers is tested and was not heard in training",
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """A network on a division of the data, with a seed."""

    network: str
    data: Data
    division: Division
    seed: int
    settings: Settings

    @property
    def recipe(self) -> Recipe:
        """What the paper leaves open."""
        return self.settings.recipes[self.network]

    @property
    def options(self) -> dict[str, Any]:
        """What builds the network."""
        shape = {"windows": self.data.x.shape[1], "features": self.data.x.shape[2], "classes": len(LABELS)}
        return {**shape, **self.recipe.network_options(self.network)}

    def scaled(self) -> tuple[Scaling, F32]:
        """Return the training part's scaling and all features scaled by it."""
        fitted = scaling(self.data.x[self.division.train], self.settings.scale)
        return fitted, fitted.apply(self.data.x)

    def build(self) -> Any:
        """Return the network with the seed's first weights: the same for every setting."""
        fitting.seed_all(self.seed)
        return papers.build(self.network, **self.options)


def central(study: Study, task: Task, *, name: str) -> dict[str, Any]:
    """Train on the whole training part and return scores, curves and seconds as JSON."""
    _, x = task.scaled()
    train, test = task.division.train, task.division.test
    model = task.build()
    history = fitting.fit(
        model,
        x[train],
        task.data.y[train],
        validation=(x[test], task.data.y[test]),
        optimizer=tf.keras.optimizers.Adam(task.recipe.learning_rate),
        epochs=task.settings.epochs,
        batch=task.settings.batch,
        seed=task.seed,
        log=study.log,
        name=name,
    )
    return {**_tested(model, task, x), "seconds": history.seconds, "engine": "keras", "history": history.to_json()}


def plan_of(task: Task, rounds: int) -> Plan:
    """Return the federated training of a task: Adam on clients and server."""
    recipe = task.recipe
    return Plan(
        network=task.network,
        network_options=task.options,
        rounds=rounds,
        batch=task.settings.batch,
        local_epochs=recipe.local_epochs,
        client=OptimizerChoice(kind="adam", learning_rate=recipe.client_learning_rate),
        server=OptimizerChoice(kind="adam", learning_rate=recipe.server_learning_rate, epsilon=recipe.server_epsilon),
        seed=task.seed,
    )


def federated(
    study: Study,
    task: Task,
    clients: Sequence[Any],
    *,
    engine: str,
    rounds: int,
    name: str,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Train by rounds with these clients' rows and return scores, curves and seconds as JSON.

    The network is saved into `folder` where one is given.
    """
    fitted, x = task.scaled()
    test = task.division.test
    model = task.build()
    given = ClientData(x=x, y=task.data.y, clients=clients, watched=(x[test], task.data.y[test]))
    outcome = engine_of(engine).run(plan_of(task, rounds), given, model.get_weights(), log=study.log, name=name)
    model.set_weights(outcome.weights)
    if folder is not None:
        save(folder, model, task, fitted, engine)
    curves = {"loss": outcome.loss, "accuracy": outcome.accuracy, "val_accuracy": outcome.watched_accuracy}
    return {
        **_tested(model, task, x),
        "seconds": round(outcome.seconds, 3),
        "start_seconds": round(outcome.start_seconds, 3),
        "engine": outcome.engine,
        "clients": [len(rows) for rows in clients],
        "history": {"name": name, **curves, "epochs": rounds, "seconds": round(outcome.seconds, 3)},
    }


def engine_of(name: str) -> Engine:
    """Return the engine by its name."""
    return TffEngine() if name == "tff" else OwnEngine()


def _tested(model: Any, task: Task, x: F32) -> dict[str, Any]:
    test = task.division.test
    truth = task.data.y[test]
    fitting.predict(model, x[test])
    started = time.monotonic()
    logits = fitting.predict(model, x[test])
    seconds = time.monotonic() - started
    return {
        "scores": fitting.scores(logits, truth, LABELS),
        "majority": majority(truth),
        "train_n": len(task.division.train),
        "inference_ms": round(1000 * seconds / len(test), 4),
        "parameters": int(model.count_params()),
    }


def save(folder: Path, model: Any, task: Task, fitted: Scaling, engine: str) -> None:
    """Write the network with raw features for its calibration and its test."""
    from overtone_models.window_model import WindowModel

    data, division = task.data, task.division
    sources = [CORPORA.get(corpus) for corpus in sorted({u.corpus for u in data.utterances})]
    licences = sorted({source.licence for source in sources if source is not None})
    WindowModel(
        network=task.network,
        options=task.options,
        labels=LABELS,
        features=(task.settings.features.to_json(),),
        input_shapes=(data.x.shape[1:],),
        scale_mean=(fitted.mean,),
        scale_std=(fitted.deviation,),
        weights=[np.asarray(w) for w in model.get_weights()],
        lineage={"system": "A", "corpora": ", ".join(sorted(set(data.corpora))), "seed": task.seed, "engine": engine},
        licence="; ".join(licences) or "unknown: that of the recordings it learned from",
        split=SPLIT_TEXTS[division.kind],
    ).save(folder)
    write_rows(
        folder,
        train=division.train,
        test=division.test,
        inputs=lambda rows: [data.x[rows]],
        classes=lambda rows: data.y[rows],
        seed=task.seed,
    )
