"""The experiment of one corpus: every criterion's folds and seeds, one kept step for each fold and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from overtone_papers.common import fitting
from overtone_papers.common.study import Study
from overtone_papers.fusion.data import Data
from overtone_papers.fusion.folds import Folds, look_up, make
from overtone_papers.fusion.saving import FILES, kept_systems, network_folder
from overtone_papers.fusion.settings import CRITERIA, LABELS, LARGE, SMALL, Settings

LOOK_UP = "look-up"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One system under one criterion: merged test scores of all folds, one value a seed, shares 0..1."""

    uar: tuple[float, ...]
    auc: tuple[float, ...]
    scores: Mapping[str, Any]
    """All figures of the first seed: per class, confusion."""
    seconds: float = 0.0
    """Training of one fold, the median."""
    inference_ms: float = 0.0
    parameters: int = 0
    history: Mapping[str, Any] | None = None
    """The first fold's curves with the first seed."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one criterion's folds gave: systems by name ("audio", "encoder", "EF-CS", "look-up", "audio x2")."""

    folds: Folds
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, kw_only=True)
class CorpusResult:
    """A corpus' findings by criterion, and how its scripts lie over the classes."""

    name: str
    findings: Mapping[str, Finding]
    scripts: Mapping[str, int] = field(default_factory=dict)


def trained_systems(study: Study, settings: Settings, criterion: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Return what is trained on each fold of a criterion: the fusions on folds by speaker and script only."""
    if criterion != "speaker-script":
        return ("audio", *texts) if "folds" in study.parts else ()
    return ("audio", *texts, *(settings.systems if "fusion" in study.parts else ()))


def run_corpus(study: Study, settings: Settings, data: Data, digests: Mapping[str, str]) -> CorpusResult:
    """Train whatever the study's parts ask for on one corpus; `digests` name the text vectors."""
    findings = {}
    for criterion in CRITERIA:
        systems = trained_systems(study, settings, criterion, tuple(data.tokens))
        if systems:
            findings[criterion] = _finding(study, settings, data, digests, criterion, systems)
    return CorpusResult(name=data.name, findings=findings, scripts=scripts_of(data))


def scripts_of(data: Data) -> dict[str, int]:
    """Return how many scripts there are, and how many of them are spoken in every one of the four classes."""
    heard: dict[str, set[str]] = {}
    for utterance in data.utterances:
        heard.setdefault(str(utterance.sentence), set()).add(str(utterance.label))
    return {
        "scripts": len(heard),
        "in_every_class": sum(1 for labels in heard.values() if labels == set(LABELS)),
        "utterances": len(data.utterances),
    }


def _finding(
    study: Study,
    settings: Settings,
    data: Data,
    digests: Mapping[str, str],
    criterion: str,
    systems: tuple[str, ...],
) -> Finding:
    folds = make(data.name, data.utterances, criterion, settings)
    single = tuple(name for name in systems if "-" not in name)
    sizes = [(1.0, systems, "")]
    if settings.sizes and "folds" in study.parts:
        sizes += [(SMALL, single, " x0.5"), (LARGE, single, " x2")]
    outcomes = {LOOK_UP: look_up_outcome(data, folds)}
    for scale, names, suffix in sizes:
        results = [
            [
                _step(study, settings, data, digests, folds, index, names, seed, scale)
                for index in range(len(folds.folds))
            ]
            for seed in range(study.seeds)
        ]
        outcomes |= {name + suffix: outcome(results, name) for name in names}
    return Finding(folds=folds, outcomes=outcomes)


def _step(
    study: Study,
    settings: Settings,
    data: Data,
    digests: Mapping[str, str],
    folds: Folds,
    index: int,
    systems: tuple[str, ...],
    seed: int,
    scale: float,
) -> dict[str, Any]:
    """Train one fold with one seed, or take the kept result; the first fold by speaker and script is saved."""
    from overtone_papers.fusion.training import train_fold

    fold = folds.folds[index]
    saves = folds.criterion == "speaker-script" and seed == 0 and index == 0 and scale == 1.0
    folder = study.folder("networks") if saves else None
    made = [network_folder(folder, network, data.name) for network in kept_systems(systems)] if folder else []
    result: dict[str, Any] = study.step(
        f"{data.name}-{folds.criterion}-{fold.name}-x{scale:g}-seed{seed}",
        lambda: train_fold(
            data,
            fold,
            settings,
            systems=systems,
            seed=seed,
            scale=scale,
            folder=folder,
            split=f"{folds.split}; this is {fold.name!r}",
            log=study.log,
        ),
        makes=[path / name for path in made for name in FILES],
        corpus=data.name,
        train=list(fold.train),
        test=list(fold.test),
        systems=list(systems),
        texts={key: digests[key] for key in data.tokens},
        features=dict(data.features),
        settings=settings.training(),
        seed=seed,
        scale=scale,
    )
    return result


def outcome(results: Sequence[Sequence[Mapping[str, Any]]], system: str) -> Outcome:
    """Return a system's figures from `results[seed][fold]`: the folds' test scores are merged before they are read."""
    uar, auc, first = [], [], None
    for folds in results:
        y = np.concatenate([np.array(one["y"], np.int64) for one in folds])
        probabilities = np.concatenate([np.array(one["systems"][system]["probabilities"]) for one in folds])
        scores = fitting.scores(probabilities, y, LABELS)
        first = first or scores
        uar.append(float(scores["uar"]))
        auc.append(fitting.auc_one_vs_rest(probabilities.astype(np.float32), y) or 0.0)
    ours = [one["systems"][system] for folds in results for one in folds]
    return Outcome(
        uar=tuple(uar),
        auc=tuple(auc),
        scores=first or {},
        seconds=float(np.median([one["history"]["seconds"] for one in ours])),
        inference_ms=float(np.median([one["inference_ms"] for one in ours])),
        parameters=int(ours[0]["parameters"]),
        history={**ours[0]["history"], "name": system},
    )


def look_up_outcome(data: Data, folds: Folds) -> Outcome:
    """Return the figures of looking up, for every test utterance, how its script was labelled in training."""
    probabilities, y = [], []
    for fold in folds.folds:
        train, test = data.rows(fold.train), data.rows(fold.test)
        probabilities.append(look_up([data.utterances[r] for r in train], [data.utterances[r] for r in test]))
        y.append(data.y[test])
    merged, truth = np.concatenate(probabilities), np.concatenate(y)
    scores = fitting.scores(merged, truth, LABELS)
    return Outcome(uar=(float(scores["uar"]),), auc=(fitting.auc_one_vs_rest(merged, truth) or 0.0,), scores=scores)
