"""The speakers that a training sets aside: they decide when it stops, and set temperature and threshold."""

import numpy as np

from overtone_cloud.corpora.splits import inner_speakers
from overtone_cloud.training.features import Features
from overtone_cloud.training.settings import TrainSettings


def set_aside(outer: Features, settings: TrainSettings) -> tuple[Features, Features]:
    """Return what is trained on and the inner speakers' part, which is empty where the settings want none.

    Where utterances have no speakers, the inner part are some utterances.
    """
    if settings.inner_fraction == 0.0:
        return outer, outer.where(())
    if any(u.speaker is None for u in outer.utterances):
        ids = [u.id for u in outer.utterances]
        number = max(1, round(settings.inner_fraction * len(ids)))
        inner = set(np.random.default_rng(settings.seed).permutation(ids)[:number])
    else:
        named = inner_speakers(outer.utterances, fraction=settings.inner_fraction, seed=settings.seed)
        inner = {u.id for u in outer.utterances if u.speaker in named}
    train = [u.id for u in outer.utterances if u.id not in inner]
    return outer.where(train), outer.where(sorted(inner))
