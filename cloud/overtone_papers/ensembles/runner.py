"""Running trainings as steps that an interruption leaves done, and reading what they kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overtone_models.front_end import F32
from overtone_papers.common.study import Study
from overtone_papers.ensembles import plans
from overtone_papers.ensembles.division import Division, divide
from overtone_papers.ensembles.material import SPECS, Material
from overtone_papers.ensembles.predictions import FOLDER, figures, read_arrays
from overtone_papers.ensembles.recipes import Job
from overtone_papers.ensembles.settings import Settings
from overtone_papers.ensembles.stacking import NETWORK, keep_stacking, meta_name, train_meta
from overtone_papers.ensembles.training import network_files, train


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """One network's (or ensemble's) figures on one split with one seed, and its probabilities."""

    key: str
    title: str
    split: str
    seed: int
    figures: dict[str, Any]
    test: F32
    inner: F32

    @property
    def accuracy(self) -> float:
        """Share of the test utterances that are recognised."""
        return float(self.figures["accuracy"])

    @property
    def f1(self) -> float:
        """Macro F1 on the test utterances."""
        return float(self.figures["macro_f1"])


@dataclass(frozen=True, eq=False)
class Runner:
    """The trainings of one study; those that are done already are read from their files."""

    study: Study
    settings: Settings
    material: Material
    _divisions: dict[tuple[str, int], Division] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)

    def division(self, split: str, seed: int) -> Division:
        """Return the rows of a split."""
        key = (split, seed)
        if key not in self._divisions:
            self._divisions[key] = divide(self.material.utterances, split, seed=seed, quick=self.study.quick)
        return self._divisions[key]

    @property
    def folder(self) -> Path:
        """Where predictions are kept, beside the steps."""
        return self.study.folder(FOLDER)

    def result(self, job: Job) -> Result:
        """Return a training's result, trained now or earlier."""
        if job.name not in self._results:
            self._results[job.name] = self._result(job)
        return self._results[job.name]

    def results(self, jobs: Sequence[Job]) -> list[Result]:
        """Return the results of several trainings, in order."""
        return [self.result(job) for job in jobs]

    def _result(self, job: Job) -> Result:
        found = self.trained(job)
        kept = read_arrays(self.folder / f"{job.name}.npz")
        scored = figures(kept["test"], self.material, self.division(job.split, job.seed))
        return Result(
            key=job.network,
            title=job.recipe.title,
            split=job.split,
            seed=job.seed,
            figures={**found, **scored, "options": dict(job.options), "scaled": job.scaled},
            test=kept["test"],
            inner=kept["inner"],
        )

    def trained(self, job: Job) -> dict[str, Any]:
        """Return what a training's step tells: curves, times, parameters."""
        plan = plans.plan_of(job, self.settings, quick=self.study.quick)
        folder, recipe = self.folder, job.recipe
        makes = [folder / f"{job.name}.npz"]
        makes += [folder / f"{job.name}-weights.npz"] if job.target is not None else []
        makes += network_files(self.study.out, job.network) if job.saved else []
        division = self.division(job.split, job.seed)
        found: dict[str, Any] = self.study.step(
            job.name,
            lambda: train(self.material, division, job, plan, folder),
            makes=makes,
            **self._inputs(),
            network=job.network,
            options=dict(job.options),
            split=job.split,
            seed=job.seed,
            target=job.target,
            scaled=job.scaled,
            plan=[plan.epochs, plan.samples, plan.scaler, plan.augment],
            training=[recipe.learning_rate, recipe.batch, recipe.patience],
        )
        return found

    def _inputs(self) -> dict[str, Any]:
        """Return what every step hangs on beside its own settings."""
        return {
            "calm": self.settings.calm,
            "features": [spec.digest for spec in SPECS.values()],
            "read": len(self.material.utterances),
        }

    def stacked(self, jobs: tuple[Job, ...]) -> Result:
        """Return the stacking's result over binary trainings, which are done first."""
        base = [self.trained(job) for job in jobs]
        split, seed, folder, name = jobs[0].split, jobs[0].seed, self.folder, meta_name(jobs)
        division = self.division(split, seed)
        plan = plans.plan_of(jobs[0], self.settings, quick=self.study.quick)
        saved = split == "random" and seed == 0

        def work() -> dict[str, Any]:
            found = train_meta(self.material, division, jobs, folder, seed=seed)
            if saved:
                keep_stacking(self.material, division, jobs, plan, folder)
            return found

        makes = [folder / f"{name}.npz", *(network_files(self.study.out, NETWORK) if saved else [])]
        found = self.study.step(name, work, makes=makes, **self._inputs(), base=base, split=split, seed=seed)
        kept = read_arrays(folder / f"{name}.npz")
        scored = figures(kept["test"], self.material, division)
        times = {
            "inference_s": found["inference_s"] + sum(b["inference_s"] for b in base),
            "inference_n": base[0]["inference_n"],
            "seconds": found["seconds"] + sum(b["seconds"] for b in base),
            "parameters": sum(b["parameters"] for b in base) + 7687,
        }
        title = f"Stacking of {jobs[0].recipe.title}"
        return Result(
            key=NETWORK, title=title, split=split, seed=seed, figures={**found, **scored, **times},
            test=kept["test"], inner=kept["inner"],
        )  # fmt: skip
