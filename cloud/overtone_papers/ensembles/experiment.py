"""System E's trainings as steps of a study, and the figures that follow from the predictions they leave."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from overtone_models.front_end import F32
from overtone_papers.common import scoring
from overtone_papers.common.data import InnerFold
from overtone_papers.common.saved_network import saved_files
from overtone_papers.common.study import Study
from overtone_papers.ensembles.data import LABELS, SPECS, Pool, divide
from overtone_papers.ensembles.networks import Job, Settings
from overtone_papers.ensembles.training import STACKING, read_arrays, stacking_name, train, train_stacking

Result = dict[str, Any]
"""One network's (or ensemble's) figures on one split with one seed, as in report.json."""

SPLIT_WORDS = {"random": "random, speakers shared", "speaker": "by speaker, unseen"}
SMALLEST = 1e-7
PERCEPTRON_PARAMETERS = 7687


@dataclass(frozen=True, eq=False)
class Experiment:
    """The trainings of one study; those of an earlier run are read from their files."""

    study: Study
    settings: Settings
    pool: Pool
    _folds: dict[tuple[str, int], InnerFold] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)

    def fold(self, split: str, seed: int) -> InnerFold:
        """Return the utterances of a split."""
        key = (split, seed)
        if key not in self._folds:
            self._folds[key] = divide(self.pool.utterances, split, seed=seed, quick=self.study.quick)
        return self._folds[key]

    @property
    def folder(self) -> Path:
        """Where predictions are written, beside the steps."""
        return self.study.folder("predictions")

    def predictions(self, name: str) -> dict[str, F32]:
        """Return the probabilities `(n, K)` of a step by part: "test" and "inner"."""
        return read_arrays(self.folder / f"{name}.npz")

    def result(self, job: Job, title: str = "") -> Result:
        """Return a training's result, trained now or earlier; its title is the network's by default."""
        if job.name not in self._results:
            trained = self._trained(job)
            scored = self.scored(job.network, job.split, job.seed, self.predictions(job.name)["test"])
            self._results[job.name] = {**trained, **scored, "options": dict(job.options), "scaled": job.scaled}
        return {**self._results[job.name], "title": title or job.recipe.title}

    def scored(self, network: str, split: str, seed: int, probabilities: F32) -> Result:
        """Return the scores of a network's or ensemble's test probabilities, its loss, and accuracy by origin."""
        test = self.pool.rows(self.fold(split, seed).test)
        y, origins = self.pool.y[test], self.pool.origins[test]
        right = probabilities.argmax(1) == y
        target = np.maximum(probabilities[np.arange(len(y)), y], SMALLEST)
        by_origin = {str(name): right[origins == name] for name in np.unique(origins)}
        return {
            "network": network,
            "split": SPLIT_WORDS[split],
            "seed": seed,
            **scoring.scores(probabilities, y, LABELS),
            "loss": round(float(-np.log(target).mean()), 6),
            "origins": {n: {"accuracy": round(float(own.mean()), 6), "n": len(own)} for n, own in by_origin.items()},
        }

    def inputs(self) -> dict[str, Any]:
        """Return the inputs common to all steps."""
        features = [spec.digest for spec in SPECS.values()]
        return {"calm": self.settings.calm, "features": features, "read": len(self.pool.utterances)}

    def _trained(self, job: Job) -> Result:
        """Return a training's curves, times and parameters."""
        recipe = job.recipe
        makes = [self.folder / f"{job.name}.npz"]
        makes += [self.folder / f"{job.name}-weights.npz"] if job.target is not None else []
        makes += self._saved(job.network) if job.saved else []
        trained: Result = self.study.step(
            job.name,
            lambda: train(self.pool, self.fold(job.split, job.seed), job, self.folder),
            makes=makes,
            **self.inputs(),
            network=job.network,
            options=dict(job.options),
            split=job.split,
            seed=job.seed,
            target=job.target,
            scaled=job.scaled,
            plan=[job.epochs, job.samples, job.scaler, job.augment],
            training=[recipe.learning_rate, recipe.batch, recipe.patience],
        )
        return trained

    def _saved(self, network: str) -> list[Path]:
        return saved_files(self.study.out / "networks" / network)

    def stacked(self, jobs: Sequence[Job]) -> Result:
        """Return the stacking's result over binary trainings, which run first."""
        base = [self._trained(job) for job in jobs]
        first, name = jobs[0], stacking_name(jobs)
        trained = self.study.step(
            name,
            lambda: train_stacking(self.pool, self.fold(first.split, first.seed), jobs, self.folder),
            makes=[self.folder / f"{name}.npz", *(self._saved(STACKING) if first.first else [])],
            **self.inputs(),
            base=base,
            split=first.split,
            seed=first.seed,
        )
        return {
            **self.scored(STACKING, first.split, first.seed, self.predictions(name)["test"]),
            "title": f"Stacking of {first.recipe.title}",
            "history": trained["history"],
            **totals([*base, {**trained, "parameters": PERCEPTRON_PARAMETERS}]),
        }


def totals(results: Sequence[Result]) -> Result:
    """Return the seconds and parameters of networks that recognise together."""
    sums = {key: sum(each[key] for each in results) for key in ("inference_s", "seconds", "parameters")}
    return {**sums, "inference_n": results[0]["inference_n"]}
