"""Trainings of paper C's network: one step of the study for each corpus, kind of split, fold and seed."""

from functools import partial
from pathlib import Path
from typing import Any

from overtone_cloud.corpora.splits import Fold
from overtone_models.features.means import MeanMfccSpec
from overtone_papers.common.data import Examples, Scaler
from overtone_papers.common.saved_network import SavedNetwork, saved_files
from overtone_papers.common.study import Study
from overtone_papers.tess.data import Settings, describe, divide, known_pairs

NETWORK = "c-lstm"
Result = dict[str, Any]


def train_kind(study: Study, settings: Settings, name: str, data: Examples, kind: str) -> list[Result]:
    """Return one result for each seed and fold of a kind of split; the random split's first network is saved."""
    results = []
    for seed in range(study.seeds):
        for fold in divide(data.utterances, kind, folds=settings.folds, seed=seed)[: settings.tested_folds]:
            folder = study.folder(f"networks/{NETWORK}-{name}") if kind == "random" and seed == 0 else None
            result = study.step(
                f"{name}-{kind}-{fold.name}-seed{seed}",
                partial(_train, study, settings, name, data, fold, seed, folder),
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
            known, held = known_pairs(data.utterances, fold), describe(data.utterances, fold)
            results.append({**result, "name": fold.name, "seed": seed, "heard_before": known, "held_back": held})
    return results


def _train(
    study: Study, settings: Settings, name: str, data: Examples, fold: Fold, seed: int, folder: Path | None
) -> Result:
    """Return curves, scores and times of one training as JSON; save the network into `folder` where given."""
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
