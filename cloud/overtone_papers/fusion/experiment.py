"""The experiment of one corpus: every criterion's folds and seeds, one resumable step for each fold and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from overtone_cloud.corpora.splits import Fold
from overtone_models.front_end import F32
from overtone_papers.common.data import Rows
from overtone_papers.common.saved_network import saved_files
from overtone_papers.common.scoring import auc_one_vs_rest, scores
from overtone_papers.common.study import Study
from overtone_papers.fusion.data import LABELS, Data, Settings, saved_systems
from overtone_papers.fusion.folds import CRITERIA, look_up, make

LOOK_UP = "look-up"
SIZES = {" x0.5": 0.5, " x2": 2.0}
"""Half and twice the nodes, by what is put behind a system's name."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One system under one criterion: merged test scores of all folds, one value per seed, shares 0..1."""

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


Outcomes = Mapping[str, Outcome]
"""By system: "audio", "encoder", "EF-CS", "look-up", "audio x2"."""


@dataclass(frozen=True, kw_only=True)
class CorpusResult:
    """A corpus' outcomes and the split they stand on, by criterion, and how its scripts lie over the classes."""

    name: str
    splits: Mapping[str, str]
    outcomes: Mapping[str, Outcomes]
    scripts: Mapping[str, int] = field(default_factory=dict)

    def by_criterion(self, system: str) -> dict[str, Outcome]:
        """Return a system's outcomes by criterion, where it was trained."""
        return {criterion: own[system] for criterion, own in self.outcomes.items() if system in own}

    @property
    def by_script(self) -> Outcomes:
        """The systems' outcomes on folds by speaker and script."""
        return self.outcomes.get("speaker-script", {})


def trained_systems(study: Study, settings: Settings, criterion: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Return what is trained on each fold of a criterion: the fusions on folds by speaker and script only."""
    if criterion != "speaker-script":
        return ("audio", *texts) if "folds" in study.parts else ()
    return ("audio", *texts, *(settings.fusions if "fusion" in study.parts else ()))


def run_corpus(study: Study, settings: Settings, data: Data) -> CorpusResult:
    """Train whatever the study's parts ask for on one corpus."""
    splits, outcomes = {}, {}
    for criterion in CRITERIA:
        systems = trained_systems(study, settings, criterion, tuple(data.tokens))
        if systems:
            splits[criterion], outcomes[criterion] = _trained(study, settings, data, criterion, systems)
    return CorpusResult(name=data.name, splits=splits, outcomes=outcomes, scripts=scripts_of(data))


def scripts_of(data: Data) -> dict[str, int]:
    """Return how many scripts there are, and how many of them are spoken in every one of the four classes."""
    labels: dict[str, set[str]] = {}
    for utterance in data.utterances:
        labels.setdefault(str(utterance.sentence), set()).add(str(utterance.label))
    in_all = sum(1 for own in labels.values() if own == set(LABELS))
    return {"scripts": len(labels), "in_every_class": in_all, "utterances": len(data.utterances)}


def _trained(
    study: Study, settings: Settings, data: Data, criterion: str, systems: tuple[str, ...]
) -> tuple[str, Outcomes]:
    """Train one criterion's folds, or take the results of an earlier run; the first by speaker and script is saved."""
    split, folds = make(data.name, data.utterances, criterion, settings)
    outcomes = {LOOK_UP: look_up_outcome(data, folds)}
    sizes = {"": 1.0, **(SIZES if settings.sizes and "folds" in study.parts else {})}

    def trained(fold: Fold, names: Sequence[str], seed: int, scale: float) -> dict[str, Any]:
        from overtone_papers.fusion.training import FoldTrainer

        saves = (criterion, fold.name, seed, scale) == ("speaker-script", folds[0].name, 0, 1.0)
        folder = study.folder("networks") if saves else None
        networks = [folder / f"{network}-{data.name}" for network in saved_systems(names)] if folder else []
        words = f"{split}; this is {fold.name!r}"

        def work() -> dict[str, Any]:
            trainer = FoldTrainer(data, fold, settings, seed=seed, scale=scale, log=study.log)
            return trainer.results(names, folder=folder, split=words)

        result: dict[str, Any] = study.step(
            f"{data.name}-{criterion}-{fold.name}-x{scale:g}-seed{seed}",
            work,
            makes=[file for network in networks for file in saved_files(network)],
            corpus=data.name,
            train=list(fold.train),
            test=list(fold.test),
            systems=list(names),
            texts=dict(data.text_digests),
            features=dict(data.features),
            settings=settings.training(),
            seed=seed,
            scale=scale,
        )
        return result

    for suffix, scale in sizes.items():
        names = [name for name in systems if not suffix or "-" not in name]
        results = [[trained(fold, names, seed, scale) for fold in folds] for seed in range(study.seeds)]
        outcomes |= {name + suffix: outcome(results, name) for name in names}
    return split, outcomes


def outcome(results: Sequence[Sequence[Mapping[str, Any]]], system: str) -> Outcome:
    """Return a system's figures from `results[seed][fold]`: the folds' test scores are merged before they are read."""
    merged = [
        _scored(
            np.concatenate([np.array(one["systems"][system]["probabilities"]) for one in folds]),
            np.concatenate([np.array(one["y"], np.int64) for one in folds]),
        )
        for folds in results
    ]
    ours = [one["systems"][system] for folds in results for one in folds]
    return Outcome(
        uar=tuple(figures["uar"] for figures, _ in merged),
        auc=tuple(auc for _, auc in merged),
        scores=merged[0][0],
        seconds=float(np.median([one["history"]["seconds"] for one in ours])),
        inference_ms=float(np.median([one["inference_ms"] for one in ours])),
        parameters=int(ours[0]["parameters"]),
        history={**ours[0]["history"], "name": system},
    )


def look_up_outcome(data: Data, folds: Sequence[Fold]) -> Outcome:
    """Return the figures of looking up, for every test utterance, how its script was labelled in training."""
    rows = [(data.rows(fold.train), data.rows(fold.test)) for fold in folds]
    shares = [look_up(*([data.utterances[row] for row in part] for part in own)) for own in rows]
    figures, auc = _scored(np.concatenate(shares), np.concatenate([data.y[test] for _, test in rows]))
    return Outcome(uar=(figures["uar"],), auc=(auc,), scores=figures)


def _scored(probabilities: F32, y: Rows) -> tuple[dict[str, Any], float]:
    """Return scores and AUC; the AUC is 0 where no class can be told from the rest."""
    return scores(probabilities, y, LABELS), auc_one_vs_rest(probabilities.astype(np.float32), y) or 0.0
