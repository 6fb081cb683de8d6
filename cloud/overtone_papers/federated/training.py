"""Trainings of system A as steps of its study: central, and federated over clients, on each split and seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from overtone_models.front_end import F32
from overtone_papers.common.data import Examples, Rows, Scaler
from overtone_papers.common.saved_network import SavedNetwork, saved_files
from overtone_papers.common.study import Study
from overtone_papers.federated.data import (
    LABELS,
    Settings,
    dirichlet_clients,
    divide,
    emotion_clients,
    majority,
    random_clients,
    speaker_clients,
)
from overtone_papers.federated.federation import ClientData, OptimizerChoice, Plan
from overtone_papers.federated.tff_engine import TffEngine

Result = dict[str, Any]

CLIENTS = 4
PAPER_PARTITIONS = ("random", "emotion")
SPEAKER_PARTITIONS = ("random", "speaker", "dirichlet")
CLIENT_NETWORKS = ("a-dense", "a-conv")
"""The paper counts clients for these two only."""
SPEAKER_NETWORKS = ("a-conv", "a-dense", "a-lstm")
"""The first of these that is asked for learns from one client per speaker: the smallest does best with little."""
SPLITS = {
    "random": "random 80/20, stratified by label, speakers shared",
    "speaker": "by speaker: a fifth of the speakers is tested and was not heard in training",
}


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training; `partition` is None for central training, else how the rows are dealt to `clients`."""

    network: str
    split: str
    seed: int
    partition: str | None = None
    engine: str = "keras"
    rounds: int = 0
    clients: int = CLIENTS

    @property
    def name(self) -> str:
        """The name of the step."""
        federation = f"{self.partition} clients {self.clients} rounds {self.rounds} {self.engine}"
        return f"{self.network} {self.split} split {federation if self.partition else 'central'} seed {self.seed}"

    def passes(self, settings: Settings) -> int:
        """Return how often every clip is learned from."""
        local = settings.recipe(self.network).local_epochs
        return local * self.rounds if self.partition else settings.epochs


def trainings(part: str, settings: Settings, seeds: int) -> Iterator[Training]:
    """Yield the trainings of a part.

    "settings" is the paper's first experiment (central, random clients, one emotion per client), "clients" its
    second (1 to 8 random clients on the first split), "speakers" its future work (one client per speaker).
    """
    speaker_network = next(n for n in SPEAKER_NETWORKS if n in settings.networks)
    counted = tuple(n for n in CLIENT_NETWORKS if n in settings.networks)
    networks, kinds, partitions, rounds, counts = {
        "settings": (settings.networks, settings.splits, PAPER_PARTITIONS, settings.rounds, (CLIENTS,)),
        "clients": (counted, settings.splits[:1], ("random",), settings.clients_rounds, settings.client_counts),
        "speakers": ((speaker_network,), settings.splits, SPEAKER_PARTITIONS, settings.rounds, (CLIENTS,)),
    }[part]
    for network, split, seed in product(networks, kinds, range(seeds)):
        central = Training(network=network, split=split, seed=seed)
        if part == "settings":
            yield central
        for partition, engine, clients in product(partitions, settings.engines, counts):
            yield replace(central, partition=partition, engine=engine, rounds=rounds, clients=clients)


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """The study, its settings and data: what every training shares."""

    study: Study
    settings: Settings
    data: Examples

    def results(self, part: str) -> list[Result]:
        """Return the results of a part's trainings, each made now or in an earlier run."""
        return [self._result(training) for training in trainings(part, self.settings, self.study.seeds)]

    def _result(self, training: Training) -> Result:
        """Train, or take the earlier result; the first network of random clients is saved for devices."""
        settings, network, kind, seed = self.settings, training.network, training.split, training.seed
        saved = Training(
            network=network,
            split=settings.splits[0],
            seed=0,
            partition="random",
            engine=settings.engines[0],
            rounds=settings.rounds,
        )
        folder = self.study.folder(f"networks/{network}") if training == saved else None
        recipe = settings.recipe(network)
        inputs = (
            {key: getattr(training, key) for key in ("partition", "engine", "rounds", "clients")}
            if training.partition
            else {"epochs": settings.epochs}
        )
        result = self.study.step(
            training.name,
            lambda: self._train(training, folder),
            makes=saved_files(folder) if folder else [],
            network=network,
            recipe={**recipe.network_options(network), **vars(recipe)},
            split=kind,
            seed=seed,
            features=settings.spec.to_json(),
            scale=settings.scale,
            batch=settings.batch,
            alpha=settings.alpha,
            utterances=len(self.data.y),
            **inputs,
        )
        return {**result, "network": network, "split": kind, "seed": seed, "setting": training.partition or "central"}

    def _train(self, training: Training, folder: Path | None) -> Result:
        """Return scores, curves and seconds as JSON; save the network into `folder` where given."""
        from overtone_models.networks import papers
        from overtone_papers.common import fitting

        data, settings = self.data, self.settings
        fold = divide(data.utterances, training.split, seed=training.seed)
        train, test = data.rows(fold.train), data.rows(fold.test)
        shape = data.x.shape[1:]
        none = settings.scale == "none"
        scaler = Scaler.none((1, shape[1])) if none else Scaler.fit(data.x[train], (0, 1))
        x = scaler(data.x)
        options = {"windows": shape[0], "features": shape[1], "classes": len(LABELS)}
        options |= settings.recipe(training.network).network_options(training.network)
        fitting.seed_all(training.seed)
        model = papers.build(training.network, **options)  # the seed's first weights: the same for every setting
        if training.partition is None:
            course = self._central(model, training, x, train, test)
        else:
            course = self._federated(model, training, options, x, train, test)
        if folder is not None:
            corpora = sorted({u.corpus for u in data.utterances})
            saved = SavedNetwork(
                network=training.network,
                options=options,
                weights=model.get_weights(),
                labels=LABELS,
                features=(settings.spec.to_json(),),
                shapes=(shape,),
                scalers=(scaler,),
                corpora=corpora,
                split=SPLITS[training.split],
                seed=training.seed,
                lineage={"system": "A", "corpora": ", ".join(corpora), "engine": training.engine},
            )
            saved.save(folder, train=train, test=test, inputs=lambda rows: [data.x[rows]], classes=data.y.__getitem__)
        tested = fitting.tested(model, x[test], data.y[test], LABELS)
        return {**tested, "majority": majority(data.y[test]), "train_n": len(train), **course}

    def _central(self, model: Any, training: Training, x: F32, train: Rows, test: Rows) -> Result:
        """Train on the whole training part."""
        from overtone_models.networks import tf
        from overtone_papers.common import fitting

        rate = self.settings.recipe(training.network).learning_rate
        history = fitting.fit(
            model,
            x[train],
            self.data.y[train],
            validation=(x[test], self.data.y[test]),
            optimizer=tf.keras.optimizers.Adam(rate),
            epochs=self.settings.epochs,
            batch=self.settings.batch,
            seed=training.seed,
            log=self.study.log,
            name=training.name,
        )
        return {"seconds": history.seconds, "engine": "keras", "history": history.to_json()}

    def _federated(
        self, model: Any, training: Training, options: Mapping[str, Any], x: F32, train: Rows, test: Rows
    ) -> Result:
        """Train by rounds from the model's weights, which are replaced; Adam on clients and server."""
        from overtone_papers.federated.own_engine import run_rounds

        recipe, clients = self.settings.recipe(training.network), self._clients(training, train)
        plan = Plan(
            network=training.network,
            network_options=options,
            rounds=training.rounds,
            batch=self.settings.batch,
            local_epochs=recipe.local_epochs,
            client=OptimizerChoice(kind="adam", learning_rate=recipe.client_learning_rate),
            server=OptimizerChoice(
                kind="adam", learning_rate=recipe.server_learning_rate, epsilon=recipe.server_epsilon
            ),
            seed=training.seed,
        )
        data = ClientData(x=x, y=self.data.y, clients=clients, watched=(x[test], self.data.y[test]))
        run = TffEngine().run if training.engine == "tff" else run_rounds
        outcome = run(plan, data, model.get_weights(), log=self.study.log, name=training.name)
        model.set_weights(outcome.weights)
        seconds = round(outcome.seconds, 3)
        return {
            "seconds": seconds,
            "start_seconds": round(outcome.start_seconds, 3),
            "engine": outcome.engine,
            "clients": [len(rows) for rows in clients],
            "history": {"name": training.name, **outcome.curves, "epochs": training.rounds, "seconds": seconds},
        }

    def _clients(self, training: Training, rows: Rows) -> Sequence[Rows]:
        data, seed = self.data, training.seed
        if training.partition == "emotion":
            return emotion_clients(rows, data.y)
        if training.partition == "speaker":
            return speaker_clients(rows, [u.speaker for u in data.utterances])
        if training.partition == "dirichlet":
            return dirichlet_clients(rows, data.y, training.clients, alpha=self.settings.alpha, seed=seed)
        return random_clients(rows, training.clients, seed=seed)
