"""The paper's two experiments and the one it wished for, as steps of a study."""

from typing import Any

from overtone_papers.common.study import Study
from overtone_papers.federated import partitions
from overtone_papers.federated.data import I64, Data, divide
from overtone_papers.federated.settings import Settings

Result = dict[str, Any]

CLIENTS = 4
PAPER_PARTITIONS = ("random", "emotion")
CLIENT_NETWORKS = ("a-dense", "a-conv")
"""The paper counts clients for these two only."""
SPEAKER_NETWORKS = ("a-conv", "a-dense", "a-lstm")
"""The first of these that is asked for learns from one client a speaker: the smallest does best with little."""


class Experiment:
    """What every step of one study shares."""

    def __init__(self, study: Study, settings: Settings, data: Data) -> None:
        self.study, self.settings, self.data = study, settings, data

    def settings_part(self) -> list[Result]:
        """Return the first experiment: central, random clients and one emotion a client, for each network."""
        return [
            result
            for network in self.settings.networks
            for kind in self.settings.splits
            for seed in range(self.study.seeds)
            for result in (
                self.central(network, kind, seed),
                *(
                    self.federated(network, kind, seed, partition, engine, self.settings.rounds)
                    for partition in PAPER_PARTITIONS
                    for engine in self.settings.engines
                ),
            )
        ]

    def clients_part(self) -> list[Result]:
        """Return the second experiment: 1 to 8 random clients, on the first split."""
        kind = self.settings.splits[0]
        return [
            self.federated(network, kind, seed, "random", engine, self.settings.clients_rounds, clients=count)
            for network in CLIENT_NETWORKS
            if network in self.settings.networks
            for seed in range(self.study.seeds)
            for engine in self.settings.engines
            for count in self.settings.client_counts
        ]

    def speakers_part(self) -> list[Result]:
        """Return the paper's future work: one client a speaker, and Dirichlet clients beside it."""
        network = self.speaker_network(self.settings)
        return [
            self.federated(network, kind, seed, partition, engine, self.settings.rounds)
            for kind in self.settings.splits
            for seed in range(self.study.seeds)
            for partition in ("random", "speaker", "dirichlet")
            for engine in self.settings.engines
        ]

    @staticmethod
    def speaker_network(settings: Settings) -> str:
        """Return the network of the speakers' part."""
        return next(n for n in SPEAKER_NETWORKS if n in settings.networks)

    def central(self, network: str, kind: str, seed: int) -> Result:
        """Train one network centrally, or take the kept result."""
        from overtone_papers.federated import trainings

        name = f"{network} {kind} split central seed {seed}"
        inputs = self._inputs(network, kind, seed, epochs=self.settings.epochs)
        result = self.study.step(
            name, lambda: trainings.central(self.study, self._task(network, kind, seed), name=name), **inputs
        )
        return {**result, "network": network, "split": kind, "seed": seed, "setting": "central"}

    def federated(
        self, network: str, kind: str, seed: int, partition: str, engine: str, rounds: int, *, clients: int = CLIENTS
    ) -> Result:
        """Train one network by rounds, or take the kept result; the first random one is saved for devices."""
        from overtone_papers.federated import trainings

        saves = (partition, kind, seed, rounds, clients, engine) == (
            "random",
            self.settings.splits[0],
            0,
            self.settings.rounds,
            CLIENTS,
            self.settings.engines[0],
        )
        folder = self.study.folder(f"networks/{network}") if saves else None
        name = f"{network} {kind} split {partition} clients {clients} rounds {rounds} {engine} seed {seed}"

        def work() -> Result:
            task = self._task(network, kind, seed)
            dealt = self._dealt(partition, task.division.train, clients, seed)
            return trainings.federated(self.study, task, dealt, engine=engine, rounds=rounds, name=name, folder=folder)

        inputs = self._inputs(network, kind, seed, partition=partition, engine=engine, rounds=rounds, clients=clients)
        makes = [folder / n for n in ("window.json", "calibration.npz", "test.npz")] if folder else []
        result = self.study.step(name, work, makes=makes, **inputs)
        return {**result, "network": network, "split": kind, "seed": seed, "setting": partition}

    def _dealt(self, partition: str, rows: I64, clients: int, seed: int) -> list[I64]:
        if partition == "emotion":
            return partitions.by_emotion(rows, self.data.y)
        if partition == "speaker":
            return partitions.by_speaker(rows, self.data.speakers)
        if partition == "dirichlet":
            return partitions.dirichlet(rows, self.data.y, clients, alpha=self.settings.alpha, seed=seed)
        return partitions.at_random(rows, clients, seed=seed)

    def _task(self, network: str, kind: str, seed: int) -> Any:
        from overtone_papers.federated.trainings import Task

        division = divide(self.data, kind, seed=seed)
        return Task(network=network, data=self.data, division=division, seed=seed, settings=self.settings)

    def _inputs(self, network: str, kind: str, seed: int, **more: Any) -> dict[str, Any]:
        recipe = self.settings.recipes[network]
        return {
            "network": network,
            "recipe": {**recipe.network_options(network), **vars(recipe)},
            "split": kind,
            "seed": seed,
            "features": self.settings.features.to_json(),
            "scale": self.settings.scale,
            "batch": self.settings.batch,
            "alpha": self.settings.alpha,
            "utterances": len(self.data.y),
            **more,
        }
