"""A whole training: of a network alone, or of teachers first and then of a network that learns of them as well.

Each teacher sets other speakers aside, who decide when it stops. The network that they teach is trained on all of
them, for a number of epochs that was set beforehand, and takes temperature and threshold from what each teacher says
of the speakers that it did not hear: nobody's speech is lost to training, and nothing is fitted to speech that was
trained on.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from overtone_cloud.training.features import Features
from overtone_cloud.training.parts import groups, set_aside
from overtone_cloud.training.prepared import Prepared, Surroundings, prepare
from overtone_cloud.training.progress import Entry, Report
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_cloud.training.trainer import Teaching, Trainer
from overtone_models.networks import edge_tcn
from overtone_models.trained import TrainedModel

Prepare = Callable[[Features, Features | None], Prepared]


def train(
    outer: Features,
    labels: tuple[str, ...],
    settings: TrainSettings,
    folder: RunFolder,
    *,
    around: Surroundings | None = None,
    cache: Path | None = None,
    report: Report | None = None,
) -> tuple[TrainedModel, list[Entry]]:
    """Return the model trained on a training part, and its history.

    Goes on from the checkpoints in `folder` and its teachers' folders. Reports of a teacher's epochs have its number
    from 1 as `teacher`.
    """

    def prepared(train: Features, inner: Features | None) -> Prepared:
        return prepare(train, inner, labels, around, cache=cache)

    if settings.teachers:
        teaching = _teach(outer, settings, folder, prepared, report)
        trainer = Trainer(prepared(outer, None), settings, folder, teaching)
    else:
        trainer = Trainer(prepared(*set_aside(outer, settings)), settings, folder)
    return trainer.run(report), trainer.history


def _teach(
    outer: Features, settings: TrainSettings, folder: RunFolder, prepared: Prepare, report: Report | None
) -> Teaching:
    models: list[TrainedModel] = []
    logits, targets = [], []
    # All of them first: a part that lacks a class is refused before anything is trained.
    parts = [prepared(*set_aside(outer, settings, group)) for group in groups(settings)]
    for number, data in enumerate(parts, 1):
        alike = replace(settings, teachers=0, seed=teacher_seed(settings.seed, number))
        model = Trainer(data, alike, RunFolder(folder.path / f"teacher{number}")).run(_of_teacher(number, report))
        models.append(model)
        logits.append(edge_tcn.logits(model.network, model.weights, data.inner_utterances()))
        targets.append(data.inner_targets)
    return Teaching(tuple(models), np.concatenate(logits), np.concatenate(targets))


def teacher_seed(seed: int, number: int) -> int:
    """Return the seed of a training's teacher: no two trainings with small seeds of their own share one."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0]) % 2**31


def _of_teacher(number: int, report: Report | None) -> Report | None:
    return None if report is None else lambda entry: report({**entry, "teacher": float(number)})
