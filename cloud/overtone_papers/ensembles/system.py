"""System E: six networks of convolutions, LSTMs and attention, and their ensembles."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import CorpusError
from overtone_papers.common.report import Part, Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.ensembles.material import LABELS, gather, pooled
from overtone_papers.ensembles.settings import OPTIONS, PARTS, settings_of

if TYPE_CHECKING:  # TensorFlow is imported when something is trained
    from overtone_papers.ensembles.runner import Runner

LEAST = 40
"""Utterances of each class below which a fifth of them, and an eighth of the rest, say nothing."""


def needs(readings: Mapping[str, Reading]) -> None:
    """Raise CorpusError for a corpus with one speaker, and for a pool in which one of the seven classes is rare."""
    for name, reading in readings.items():
        if any(u.speaker is None for u in reading.labelled):
            raise CorpusError(
                f"corpus {name} has utterances without a speaker, system E tests unseen ones; "
                "a CSV manifest with path, label and speaker gives them"
            )
        if len(reading.speakers) < 2:
            raise CorpusError(
                f"corpus {name} has {len(reading.speakers)} speaker(s), system E needs 2 in each to test unseen ones"
            )
    counts = dict.fromkeys(LABELS, 0)
    for utterance in pooled(readings, "drop"):
        counts[str(utterance.label)] += 1
    rare = [f"{label} ({n})" for label, n in counts.items() if n < LEAST]
    if rare:
        raise CorpusError(
            f"system E needs {LEAST} utterances of each of its seven classes, too few are {', '.join(rare)}; "
            "add a corpus that has them (TESS, SAVEE and RAVDESS have all seven)"
        )


def estimate(study: Study) -> str:
    """Return how many trainings there will be and how long they take at most."""
    from overtone_papers.ensembles import plans

    settings = settings_of(study)
    plans.check(settings, study.parts)
    return plans.estimate(study, settings)


def run(study: Study) -> Report:
    """Do the study's parts; each training is a step of its own, and ensembles take what is kept."""
    from overtone_papers.ensembles.choices import choices
    from overtone_papers.ensembles.claims import claims
    from overtone_papers.ensembles.runner import Runner

    settings = settings_of(study)
    runner = Runner(study, settings, gather(study, settings.calm))
    parts = tuple(_part(runner, name) for name in study.parts)
    return Report(parts=parts, choices=choices(settings), claims=claims(parts, quick=study.quick))


def _part(runner: "Runner", name: str) -> Part:
    from overtone_papers.ensembles import combining, exploring, parts

    special = {
        "statistics": exploring.statistics_part,
        "ablation": parts.ablation_part,
        "ensemble": combining.ensemble_part,
        "stacking": combining.stacking_part,
        "search": parts.search_part,
    }
    return special[name](runner) if name in special else parts.network_part(runner, name)


SYSTEM = System(
    letter="E",
    title="CNN-LSTM, LSTM-CNN, CNN-Transformer and their ensembles",
    paper="LoopQPrize: My solution for the Speech Emotion Recognition task, A. Serra, 2022",
    parts=PARTS,
    run=run,
    needs=needs,
    estimate=estimate,
    options=OPTIONS,
    requires="TESS, SAVEE, RAVDESS, CREMA-D, whichever are there; all seven emotions, two speakers in each corpus",
)
