"""A whole training: speakers set aside, features prepared, the network trained."""

from collections.abc import Callable
from pathlib import Path

from overtone_cloud.training.features import Features
from overtone_cloud.training.parts import set_aside
from overtone_cloud.training.prepared import Surroundings, prepare
from overtone_cloud.training.progress import Entry, Report
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_cloud.training.trainer import Trainer
from overtone_models.trained import TrainedModel


def fit(
    outer: Features,
    labels: tuple[str, ...],
    settings: TrainSettings,
    folder: RunFolder,
    *,
    around: Surroundings | None = None,
    cache: Path | None = None,
    report: Report | None = None,
    begin: Callable[[], None] = lambda: None,
) -> tuple[TrainedModel, list[Entry]]:
    """Return the model trained on a training part, and its history; go on from the checkpoint in `folder`.

    `begin` is called when nothing is left that could be refused.
    """
    train, inner = set_aside(outer, settings)
    data = prepare(train, inner if settings.inner_fraction else None, labels, around, cache=cache)
    trainer = Trainer(data, settings, folder)
    begin()
    return trainer.run(report), trainer.history
