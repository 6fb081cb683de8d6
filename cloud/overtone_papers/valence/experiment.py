"""System B on a study's corpora: its folds, and every training as a resumable step."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from overtone_models.digests import digest_mapping
from overtone_models.features.crops import HOP_SAMPLES, CropSpec
from overtone_papers.common.data import InnerFold
from overtone_papers.common.fitting import timed_prediction
from overtone_papers.common.saved_network import SavedNetwork, saved_files
from overtone_papers.common.scoring import softmax
from overtone_papers.common.study import Study
from overtone_papers.valence import data as recordings
from overtone_papers.valence import unlabelled
from overtone_papers.valence.data import SCALER, fixed_crops, has_sessions, leave_one_group_out, speakers_of
from overtone_papers.valence.ratings import NAMES, accepted, measure, oversampled, soft
from overtone_papers.valence.settings import Recipe, Settings, published
from overtone_papers.valence.training import PREDICT_BATCH, Lesson, Trained, train

Result = dict[str, Any]
Work = Callable[[], Result]
METHOD = 2
"""Incremented when a step's method changes, so that no earlier result is reused."""


class Experiment:
    """The corpora of one study, loaded on first use; `trained` and `search` are its resumable steps."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.options = study.settings(Settings)
        self.files = unlabelled.find(self.options.unlabelled, self.options.unlabelled_hours)

    @cached_property
    def data(self) -> recordings.Data:
        """The labelled recordings."""
        return recordings.load(self.study)

    @cached_property
    def free(self) -> tuple[recordings.Recording, ...]:
        """The unlabelled recordings."""
        return unlabelled.load(self.files, self.study)

    @cached_property
    def folds(self) -> tuple[InnerFold, ...]:
        """Every fold of the split."""
        return leave_one_group_out(self.data.utterances, groups=self.options.groups)

    @property
    def used_folds(self) -> tuple[InnerFold, ...]:
        """The folds that this run trains: the first alone in a quick run."""
        return self.folds[:1] if self.study.quick else self.folds

    @property
    def split(self) -> str:
        """Description of the split for reports."""
        kind = "session" if has_sessions(self.data.utterances) else "speaker group"
        used = f", {len(self.used_folds)} of them run" if len(self.used_folds) < len(self.folds) else ""
        return (
            f"leave one {kind} out, {len(self.folds)} folds{used}: some of its speakers validate, the others test; "
            "no test speaker is heard in training"
        )

    def whole_pass(self, fold: InnerFold) -> int:
        """Return the number of crops in a whole pass over a fold's oversampled training part."""
        labels = soft(self.data.valence[self.data.rows(fold.train)])
        return len(oversampled(labels, np.random.default_rng(0)))

    def recipe(self, network: str) -> Recipe:
        """Return a network's recipe for this run: the published one, or the search's best."""
        recipe = published(network)
        if self.options.parameters == "searched":
            best = best_of(self.search(network))["settings"]
            recipe = Recipe(**{**best, "epochs": recipe.epochs, "epoch_samples": None})
        return self.options.applied(recipe, whole_pass=self.whole_pass(self.folds[0]), quick=self.study.quick)

    def trained(self, recipe: Recipe, fold: InnerFold, seed: int) -> Result:
        """Return the result of a training on a fold for its test speakers; one step of the study."""
        first = fold.name == self.folds[0].name and seed == 0
        folder = self.study.folder(f"networks/{recipe.network}") if first else None
        name, makes = f"{recipe.network}-{fold.name}-seed{seed}", saved_files(folder) if folder is not None else ()
        return self._step(name, lambda: self._train_and_test(recipe, fold, seed, folder), recipe, fold, seed, makes)

    def search(self, network: str) -> list[Result]:
        """Return the validation of each search trial on the first fold, whose test speakers stay unseen."""
        fold, results = self.folds[0], []
        for number, recipe in enumerate(self.options.trials_of(network, self.whole_pass(fold)), start=1):
            name = f"search-{network}-{number:03}"
            results.append(self._step(name, partial(self._try, recipe, fold, name), recipe, fold, 0))
        return results

    def _step(
        self, name: str, work: Work, recipe: Recipe, fold: InnerFold, seed: int, makes: Sequence[Path] = ()
    ) -> Result:
        ratings = np.stack([self.data.valence, self.data.activation], 1).tolist()
        rated = dict(zip([u.id for u in self.data.utterances], ratings, strict=True))
        digest = digest_mapping({"fold": asdict(fold), "ratings": rated})
        inputs: dict[str, Any] = {"settings": recipe.to_json(), "fold": digest, "seed": seed}
        if recipe.tasks.real:
            inputs["unlabelled"] = self.files.digest
        result: Result = self.study.step(name, work, makes=makes, method=METHOD, **inputs)
        return result

    def _lesson(self, recipe: Recipe, fold: InnerFold, seed: int) -> Lesson:
        data, rows, inner = self.data, self.data.rows(fold.train), self.data.rows(fold.inner)
        heard = data.some(rows)
        return Lesson(
            recordings=heard,
            valence=data.valence[rows],
            activation=data.activation[rows],
            validation=fixed_crops(data.some(inner), recipe.width, seed),
            validation_valence=data.valence[inner],
            # The training part also serves without its labels; it has no validation and no test speakers.
            unlabelled=[*self.free, *heard] if recipe.tasks.real else (),
        )

    def _train_and_test(self, recipe: Recipe, fold: InnerFold, seed: int, folder: Path | None) -> Result:
        name = f"{recipe.network}, {fold.name}, seed {seed}"
        lesson = self._lesson(recipe, fold, seed)
        pictures = None
        if folder is not None and recipe.tasks.real:
            pictures = self.study.folder(f"generated/{recipe.network}")
            for old in pictures.glob("epoch-*.png"):
                old.unlink()
        trained = train(lesson, recipe, seed, log=self.study.log, name=name, pictures=pictures)
        result = self._tested(trained, fold, seed)
        if folder is not None:
            self._save(folder, trained, fold, seed)
        return {**result, "train_n": len(fold.train), "epoch_n": recipe.epoch_samples or self.whole_pass(fold)}

    def _tested(self, trained: Trained, fold: InnerFold, seed: int) -> Result:
        recipe, rows = trained.learner.recipe, self.data.rows(fold.test)
        x = fixed_crops(self.data.some(rows), recipe.width, seed)
        logits, seconds = timed_prediction(trained.learner.valence, x, batch=PREDICT_BATCH)
        probabilities, valence = softmax(logits), self.data.valence[rows]
        corpora = np.array([self.data.utterances[i].corpus for i in rows])
        origins = {str(name): corpora == name for name in np.unique(corpora)}
        return {
            "network": recipe.network,
            "fold": fold.name,
            "seed": seed,
            "test_speakers": speakers_of(self.data.utterances, fold.test),
            "settings": recipe.to_json(),
            "figures": measure(probabilities, valence),
            "by_corpus": {name: measure(probabilities[own], valence[own]) for name, own in origins.items()},
            "history": trained.history.to_json(),
            "losses": trained.others,
            "seconds": trained.history.seconds,
            "inference_ms": round(1000 * seconds / len(x), 4),
            "parameters": trained.learner.parameters(),
        }

    def _save(self, folder: Path, trained: Trained, fold: InnerFold, seed: int) -> None:
        """Write the valence network with raw crops; a test row's class is the nearest to its rating, or the lower."""
        data, recipe = self.data, trained.learner.recipe
        train, test = data.rows(fold.train), data.rows(fold.test)
        spec, shape = CropSpec(width=recipe.width, in_decibels=True), recipe.shape
        corpora = sorted({data.utterances[i].corpus for i in train})
        SavedNetwork(
            network=recipe.network,
            options={"width": shape.width, "kernel": shape.kernel, "filters": shape.filters, "dense": shape.dense},
            weights=trained.learner.valence.get_weights(),
            labels=NAMES,
            features=(spec.to_json(),),
            shapes=((*spec.shape, 1),),
            scalers=(SCALER,),
            corpora=corpora,
            split=f"{self.split}; {fold.name}",
            seed=seed,
            lineage={"system": "B", "corpora": ", ".join(corpora), "epochs": trained.history.best_epoch},
            window_s=(recipe.width - 1) * HOP_SAMPLES / spec.sample_rate_hz,
        ).save(
            folder,
            train=train,
            test=test,
            inputs=lambda rows: [np.stack([r.middle(recipe.width) for r in data.some(rows)])[..., None]],
            classes=lambda rows: accepted(soft(data.valence[rows])).argmax(1),
        )

    def _try(self, recipe: Recipe, fold: InnerFold, name: str) -> Result:
        history = train(self._lesson(recipe, fold, 0), recipe, 0, log=self.study.log, name=name).history
        return {
            "network": recipe.network,
            "settings": recipe.to_json(),
            "acc5": max(history.val_accuracy),
            "epochs": history.epochs,
            "seconds": history.seconds,
        }


def best_of(results: Sequence[Result]) -> Result:
    """Return the trial with the best validation, the first of equals."""
    return max(results, key=lambda result: float(result["acc5"]))
