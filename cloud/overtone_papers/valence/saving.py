"""A trained valence network as the folder from which it goes on to devices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.registry import CORPORA
from overtone_models.features.crops import HOP_SAMPLES
from overtone_models.front_end import F32
from overtone_models.window_model import CALIBRATION, DESCRIPTION, TEST, WEIGHTS, WindowModel
from overtone_papers.common.saved_network import write_rows
from overtone_papers.valence.material import SCALE_MEAN, SCALE_STD, Material, crop_spec
from overtone_papers.valence.soft_labels import NAMES, accepted, soft
from overtone_papers.valence.training import Trained

FILES = (DESCRIPTION, WEIGHTS, CALIBRATION, TEST)


def save(
    folder: Path,
    trained: Trained,
    material: Material,
    *,
    train: Sequence[int],
    test: Sequence[int],
    split: str,
    seed: int,
) -> None:
    """Write the valence network with raw crops of the training part and of the test speakers beside it.

    A test row's class is the nearest to its rating, the lower one of two.
    """
    settings = trained.learner.settings
    spec = crop_spec(settings.width)
    shape = settings.shape
    corpora = sorted({material.utterances[i].corpus for i in train})
    WindowModel(
        network=settings.network,
        options={"width": shape.width, "kernel": shape.kernel, "filters": shape.filters, "dense": shape.dense},
        labels=NAMES,
        features=(spec.to_json(),),
        input_shapes=((*spec.shape, 1),),
        scale_mean=(np.array([SCALE_MEAN], np.float32),),
        scale_std=(np.array([SCALE_STD], np.float32),),
        weights=[np.asarray(w) for w in trained.learner.valence.get_weights()],
        lineage={"system": "B", "corpora": ", ".join(corpora), "seed": seed, "epochs": trained.history.best_epoch},
        licence="; ".join(CORPORA[c].licence if c in CORPORA else f"{c}: unknown" for c in corpora),
        split=split,
        window_s=(settings.width - 1) * HOP_SAMPLES / spec.sample_rate_hz,
    ).save(folder)
    write_rows(
        folder,
        train=train,
        test=test,
        inputs=lambda rows: [_raw(material, rows, settings.width)],
        classes=lambda rows: accepted(soft(material.valence[rows])).argmax(1),
        seed=seed,
    )


def _raw(material: Material, rows: NDArray[np.int64], width: int) -> F32:
    return np.stack([material.recordings[i].middle(width) for i in rows])[..., None]
