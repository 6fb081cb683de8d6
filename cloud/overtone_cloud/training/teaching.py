"""A whole training: first the teachers that the settings ask for, then the network that learns of them as well."""

from dataclasses import replace

import numpy as np

from overtone_cloud.training.prepared import Prepared
from overtone_cloud.training.progress import Report
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_cloud.training.trainer import Trainer
from overtone_models.trained import TrainedModel

History = list[dict[str, float]]


def train(
    data: Prepared, settings: TrainSettings, folder: RunFolder, report: Report | None = None
) -> tuple[TrainedModel, History]:
    """Return the trained model and its history; goes on from the checkpoints in `folder` and its teachers' folders.

    Reports of a teacher's epochs have its number from 1 as `teacher`.
    """
    teachers = []
    for number in range(1, settings.teachers + 1):
        alike = replace(settings, teachers=0, seed=teacher_seed(settings.seed, number))
        teacher = Trainer(data, alike, RunFolder(folder.path / f"teacher{number}"))
        teachers.append(teacher.run(_of_teacher(number, report)))
    trainer = Trainer(data, settings, folder, teachers)
    return trainer.run(report), trainer.history


def teacher_seed(seed: int, number: int) -> int:
    """Return the seed of a training's teacher: no two trainings with small seeds of their own share one."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0]) % 2**31


def _of_teacher(number: int, report: Report | None) -> Report | None:
    return None if report is None else lambda entry: report({**entry, "teacher": float(number)})
