"""The speakers that a training sets aside: they decide when it stops, and set temperature and threshold."""

import numpy as np

from overtone_cloud.splits import inner_speakers
from overtone_cloud.training.features import Features
from overtone_cloud.training.settings import TrainSettings


def set_aside(outer: Features, settings: TrainSettings, group: int = 0) -> tuple[Features, Features]:
    """Return what is trained on and the inner speakers' part; another `group` has other inner speakers.

    Where utterances have no speakers, the inner part are some utterances.
    """
    if any(u.speaker is None for u in outer.utterances):
        ids = [u.id for u in outer.utterances]
        number = max(1, round(settings.inner_fraction * len(ids)))
        mixed = np.random.default_rng(settings.seed).permutation(ids)
        inner = set(np.roll(mixed, -group * number)[:number])
    else:
        named = inner_speakers(outer.utterances, fraction=settings.inner_fraction, seed=settings.seed, group=group)
        inner = {u.id for u in outer.utterances if u.speaker in named}
    train = [u.id for u in outer.utterances if u.id not in inner]
    return outer.where(train), outer.where(sorted(inner))


def groups(settings: TrainSettings) -> range:
    """Return the groups of inner speakers that a training has: one a teacher, one where there is no teacher."""
    return range(max(1, settings.teachers))
