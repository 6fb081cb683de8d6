"""System B on a study's corpora: its folds, its steps, and what every one of them found."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from overtone_models.digests import digest_mapping
from overtone_papers.common.study import Study
from overtone_papers.valence import material as materials
from overtone_papers.valence import unlabelled
from overtone_papers.valence.figures import measure
from overtone_papers.valence.folds import Fold, has_sessions, leave_one_group_out
from overtone_papers.valence.material import Material, Recording, fixed_crops
from overtone_papers.valence.options import Options, parse
from overtone_papers.valence.saving import FILES, save
from overtone_papers.valence.settings import Settings, published
from overtone_papers.valence.soft_labels import oversampled, soft
from overtone_papers.valence.training import Lesson, Trained, train

Result = dict[str, Any]
METHOD = 1
"""Raised when a step's method changes, so that no earlier result is taken for it."""


class Experiment:
    """The corpora of one study, loaded when they are needed; `trained` and `tried` are its resumable steps."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.options: Options = parse(study.options, quick=study.quick)
        self.found = unlabelled.find(self.options.unlabelled, self.options.unlabelled_hours)

    @cached_property
    def material(self) -> Material:
        """The labelled recordings."""
        return materials.load(self.study)

    @cached_property
    def free(self) -> list[Recording]:
        """The unlabelled recordings."""
        return unlabelled.load(self.found, self.study)

    @cached_property
    def folds(self) -> list[Fold]:
        """Every fold of the split."""
        return leave_one_group_out(self.material.utterances, groups=self.options.groups)

    @property
    def used_folds(self) -> list[Fold]:
        """The folds that this run trains: the first alone where it is quick."""
        return self.folds[:1] if self.study.quick else self.folds

    @property
    def split(self) -> str:
        """What reports say of the split."""
        kind = "session" if has_sessions(self.material.utterances) else "speaker group"
        used = f", {len(self.used_folds)} of them run" if len(self.used_folds) < len(self.folds) else ""
        return (
            f"leave one {kind} out, {len(self.folds)} folds{used}: some of its speakers validate, the others test; "
            "no test speaker is heard in training"
        )

    def whole_pass(self, fold: Fold) -> int:
        """Return how many crops a whole pass over a fold's oversampled training part has."""
        labels = soft(self.material.valence[list(fold.train)])
        return len(oversampled(labels, np.random.default_rng(0)))

    def settings(self, network: str) -> Settings:
        """Return the published settings as this run trains them."""
        return self.applied(published(network))

    def applied(self, settings: Settings) -> Settings:
        """Return settings with this run's options; quick ones cost no more than a quick run affords."""
        return self.options.applied(settings, whole_pass=self.whole_pass(self.folds[0]), quick=self.study.quick)

    def trained(self, settings: Settings, fold: Fold, seed: int) -> Result:
        """Return what a training on a fold gave on its test speakers; one step of the study."""
        first = fold.name == self.folds[0].name and seed == 0
        folder = self.study.folder(f"networks/{settings.network}") if first else None
        return self._step(
            f"{settings.network}-{fold.name}-seed{seed}",
            lambda: self._train_and_test(settings, fold, seed, folder),
            settings,
            fold,
            seed,
            makes=tuple(folder / name for name in FILES) if folder is not None else (),
        )

    def tried(self, settings: Settings, trial: int) -> Result:
        """Return how a trial of the random search validates on the first fold; its test speakers are not heard."""
        fold, name = self.folds[0], f"search-{settings.network}-{trial + 1:03}"
        return self._step(name, lambda: self._try(settings, fold, name), settings, fold, 0)

    def _step(
        self, name: str, work: Any, settings: Settings, fold: Fold, seed: int, makes: Sequence[Path] = ()
    ) -> Result:
        inputs: dict[str, Any] = {"settings": settings.to_json(), "fold": self._digest(fold), "seed": seed}
        if settings.tasks.real:
            inputs["unlabelled"] = self.found.digest
        result: Result = self.study.step(name, work, makes=makes, method=METHOD, **inputs)
        return result

    def _digest(self, fold: Fold) -> str:
        names = [f"{u.corpus} {u.id}" for u in self.material.utterances]
        ratings = np.stack([self.material.valence, self.material.activation], 1).tolist()
        return digest_mapping({"fold": asdict(fold), "ratings": dict(zip(names, ratings, strict=True))})

    def _lesson(self, settings: Settings, fold: Fold, seed: int) -> Lesson:
        rows, held = list(fold.train), list(fold.validation)
        recordings = self._recordings(rows)
        return Lesson(
            recordings=recordings,
            valence=self.material.valence[rows],
            activation=self.material.activation[rows],
            validation=fixed_crops(self._recordings(held), settings.width, seed),
            validation_valence=self.material.valence[held],
            # The training part serves without its labels too; nobody who validates or tests is among them.
            unlabelled=[*self.free, *recordings] if settings.tasks.real else (),
        )

    def _recordings(self, rows: Sequence[int]) -> list[Recording]:
        return [self.material.recordings[i] for i in rows]

    def _train_and_test(self, settings: Settings, fold: Fold, seed: int, folder: Path | None) -> Result:
        name = f"{settings.network}, {fold.name}, seed {seed}"
        lesson = self._lesson(settings, fold, seed)
        pictures = None
        if folder is not None and settings.tasks.real:
            pictures = self.study.folder(f"generated/{settings.network}")
            for old in pictures.glob("epoch-*.png"):
                old.unlink()
        trained = train(lesson, settings, seed, log=self.study.log, name=name, pictures=pictures)
        result = self._tested(trained, fold, seed)
        if folder is not None:
            split = f"{self.split}; {fold.name}"
            save(folder, trained, self.material, train=fold.train, test=fold.test, split=split, seed=seed)
        return {**result, "train_n": len(fold.train), "epoch_n": settings.epoch_samples or self.whole_pass(fold)}

    def _tested(self, trained: Trained, fold: Fold, seed: int) -> Result:
        settings, rows = trained.learner.settings, np.array(fold.test)
        x = fixed_crops(self._recordings(fold.test), settings.width, seed)
        trained.probabilities(x[:1])
        started = time.monotonic()
        probabilities = trained.probabilities(x)
        inference_ms = 1000 * (time.monotonic() - started) / len(x)
        corpora = np.array([self.material.utterances[i].corpus for i in rows])
        valence = self.material.valence[rows]
        return {
            "network": settings.network,
            "fold": fold.name,
            "seed": seed,
            "test_speakers": list(fold.test_speakers),
            "settings": settings.to_json(),
            "figures": measure(probabilities, valence),
            "by_corpus": {
                c: measure(probabilities[corpora == c], valence[corpora == c]) for c in sorted(set(corpora.tolist()))
            },
            "history": trained.history.to_json(),
            "losses": trained.others,
            "seconds": trained.history.seconds,
            "inference_ms": round(inference_ms, 4),
            "parameters": parameters(trained),
        }

    def _try(self, settings: Settings, fold: Fold, name: str) -> Result:
        history = train(self._lesson(settings, fold, 0), settings, 0, log=self.study.log, name=name).history
        return {
            "network": settings.network,
            "settings": settings.to_json(),
            "acc5": max(history.val_accuracy),
            "epochs": history.epochs,
            "seconds": history.seconds,
        }


def parameters(trained: Trained) -> dict[str, int]:
    """Return the weights of the valence network, of all that is trained beside the generator, and of the generator."""
    learner = trained.learner
    return {
        "valence": int(learner.valence.count_params()),
        "discriminator": int(learner.network.count_params()),
        "generator": 0 if learner.generator is None else int(learner.generator.count_params()),
    }
