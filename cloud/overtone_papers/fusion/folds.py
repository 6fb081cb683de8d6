"""The three criteria for making folds that the paper compares, each on one corpus' four classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from overtone_cloud.corpora.splits import Fold, Split, by_session, make_split
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError, SplitError
from overtone_models.front_end import F32
from overtone_papers.fusion.data import LABELS, Settings

CRITERIA = ("random", "speaker", "speaker-script")
PAPER_CORPUS, PAPER_SCRIPT = "iemocap", "script03"
"""On IEMOCAP the folds are the sessions' pairs of speakers, and of the scripts only the third is tested."""


def make(
    name: str, utterances: Sequence[Utterance], criterion: str, settings: Settings
) -> tuple[str, tuple[Fold, ...]]:
    """Return what reports say of a criterion's split, and the folds that are trained.

    Raise CorpusError in one line that names the option that stands in.
    """
    try:
        split = _split(utterances, criterion, settings)
    except SplitError as error:
        speakers = {u.speaker for u in utterances if u.speaker is not None}
        raise CorpusError(
            f"corpus {name}, folds by {criterion}: {error}; "
            f"--option folds={max(2, min(settings.folds, len(speakers)))} makes fewer"
        ) from error
    limit, folds = settings.tested_folds, split.folds
    if limit is None or limit >= len(folds):
        return split.describe(), folds
    # Spread, so that both halves of the scripts and several groups of speakers are met.
    chosen = np.unique(np.linspace(0, len(folds) - 1, limit).astype(int))
    return f"{split.describe()}; only {len(chosen)} of them trained", tuple(folds[i] for i in chosen)


def _split(utterances: Sequence[Utterance], criterion: str, settings: Settings) -> Split:
    ours = utterances[0].corpus == PAPER_CORPUS
    if ours and criterion == "speaker":
        return by_session(utterances)
    if ours and criterion == "speaker-script" and any(_third(u) for u in utterances):
        return _as_published(utterances)
    return make_split(utterances, criterion, folds=settings.folds, script_folds=settings.script_folds)


def _as_published(utterances: Sequence[Utterance]) -> Split:
    """Return IEMOCAP's folds by session that test the third script only and train on all other scripts."""
    sessions = by_session(utterances)
    third = {u.id for u in utterances if _third(u)}
    folds = tuple(
        Fold(
            name=f"{fold.name}, script 3",
            train=tuple(i for i in fold.train if i not in third),
            test=tuple(i for i in fold.test if i in third),
        )
        for fold in sessions.folds
        if third & set(fold.test)
    )
    return replace(sessions, kind="speaker-script", folds=folds)


def _third(utterance: Utterance) -> bool:
    return (utterance.sentence or "").startswith(PAPER_SCRIPT)


def look_up(train: Sequence[Utterance], test: Sequence[Utterance]) -> F32:
    """Return `(n, 4)` shares of the labels with which each test utterance's script was heard in training.

    It hears nothing and reads nothing: what it recognises above chance is what the folds leak. A script that
    was not heard gets the shares of all training utterances.
    """
    base = _shares(Counter(str(u.label) for u in train))
    scripts: dict[str, Counter[str]] = {}
    for utterance in train:
        scripts.setdefault(str(utterance.sentence), Counter())[str(utterance.label)] += 1
    known = {script: _shares(counts) for script, counts in scripts.items()}
    # Over the overall shares, as the loss is weighted: otherwise the most frequent label always wins.
    lifted = np.stack([known.get(str(u.sentence), base) / base for u in test])
    result: F32 = (lifted / lifted.sum(1, keepdims=True)).astype(np.float32)
    return result


def _shares(counts: Counter[str]) -> F32:
    total = max(1, counts.total())
    return np.array([max(counts[label], 1e-3) / total for label in LABELS], np.float32)
