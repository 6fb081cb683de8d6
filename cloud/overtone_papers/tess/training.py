"""Trainings of paper C's network: one step of the study for each corpus, kind of split, fold and seed."""

from pathlib import Path
from typing import Any

from overtone_cloud.corpora.splits import Fold
from overtone_models.features.means import MeanMfccSpec
from overtone_papers.common.data import Examples, Scaler
from overtone_papers.common.saved_network import SavedNetwork, saved_files
from overtone_papers.common.study import Study
from overtone_papers.tess.data import Settings, describe, divide, known_pairs

NETWORK = "c-lstm"
LEARNING_RATE = 1e-3
QUICK_FOLDS = 2


def train_kind(study: Study, settings: Settings, name: str, data: Examples, kind: str) -> list[dict[str, Any]]:
    """Return one result for each seed and fold of a kind of split."""
    return [
        _step(study, settings, name, data, kind, fold, seed)
        for seed in range(study.seeds)
        for fold in divide(data.utterances, kind, folds=settings.folds, seed=seed)[
            : QUICK_FOLDS if study.quick else None
        ]
    ]


def _step(
    study: Study, settings: Settings, name: str, data: Examples, kind: str, fold: Fold, seed: int
) -> dict[str, Any]:
    """Train once, or take the result of an earlier run; the random split's first network is saved for devices."""
    saves = kind == "random" and seed == 0
    folder = study.folder(f"networks/{NETWORK}-{name}") if saves else None
    result: dict[str, Any] = study.step(
        f"{name}-{kind}-{fold.name}-seed{seed}",
        lambda: _train(study, settings, name, data, fold, seed, folder),
        makes=saved_files(folder) if folder else [],
        corpus=name,
        kind=kind,
        fold=fold.name,
        seed=seed,
        epochs=settings.epochs,
        batch=settings.batch,
        scale=settings.scale,
        folds=settings.folds,
        features=MeanMfccSpec().to_json(),
    )
    pairs, held = known_pairs(data.utterances, fold), describe(data.utterances, fold)
    return {**result, "name": fold.name, "seed": seed, "heard_before": pairs, "held_back": held}


def _train(
    study: Study, settings: Settings, name: str, data: Examples, fold: Fold, seed: int, folder: Path | None
) -> dict[str, Any]:
    """Return curves, scores and times of one training as JSON; save the network into `folder` where given."""
    from overtone_models.networks import tf
    from overtone_models.networks.papers import build
    from overtone_papers.common import fitting

    train, test = data.rows(fold.train), data.rows(fold.test)
    options = {"classes": len(data.labels), "steps": data.x.shape[1]}
    fitting.seed_all(seed)
    model = build(NETWORK, **options)
    scaler = Scaler.none(data.x.shape[1:]) if settings.scale == "none" else Scaler.fit(data.x[train])
    x = scaler(data.x)
    history = fitting.fit(
        model,
        x[train],
        data.y[train],
        validation=(x[test], data.y[test]),
        optimizer=tf.keras.optimizers.Adam(LEARNING_RATE),
        epochs=settings.epochs,
        batch=settings.batch,
        seed=seed,
        log=study.log,
        name=f"{name} {fold.name}",
    )
    figures = fitting.tested(model, x[test], data.y[test], data.labels)
    if folder is not None:
        SavedNetwork(
            network=NETWORK,
            options=options,
            weights=model.get_weights(),
            labels=data.labels,
            features=(MeanMfccSpec().to_json(),),
            shapes=(data.x.shape[1:],),
            scalers=(scaler,),
            corpora={data.utterances[0].corpus},
            split="random, stratified by label, speakers shared",
            seed=seed,
            lineage={"system": "C", "corpus": name, "corpus_digest": study.digests[name]},
        ).save(folder, train=train, test=test, inputs=lambda rows: [data.x[rows]], classes=lambda rows: data.y[rows])
    return {"history": history.to_json(), **figures, "seconds": history.seconds, "train_n": len(train)}
