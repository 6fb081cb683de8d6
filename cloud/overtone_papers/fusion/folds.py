"""The three criteria for making folds that the paper compares, each on one corpus' four classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from overtone_cloud.corpora.split_file import Fold, Split
from overtone_cloud.corpora.splits import at_random, by_session, by_speaker, by_speaker_and_script
from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import CorpusError, SplitError
from overtone_models.front_end import F32
from overtone_papers.fusion.settings import CRITERIA, LABELS, Settings

PAPER_CORPUS, PAPER_SCRIPT = "iemocap", "script03"
"""On IEMOCAP the folds are the sessions' pairs of speakers, and of the scripts only the third is tested."""


@dataclass(frozen=True, kw_only=True)
class Folds:
    """The folds of one criterion; `split` states kind, seed and what is shared."""

    criterion: str
    split: str
    folds: tuple[Fold, ...]


def usable(name: str, utterances: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """Return the utterances of the four classes; where a corpus names no sentence, equal words are one script."""
    kept = [u for u in utterances if u.label in LABELS]
    missing = [label for label in LABELS if not any(u.label == label for u in kept)]
    if missing:
        raise CorpusError(
            f"corpus {name} has no utterance labelled {', '.join(missing)}; system D needs {', '.join(LABELS)}"
        )
    return tuple(replace(u, sentence=u.sentence or _words(u.text)) for u in kept)


def make(name: str, utterances: Sequence[Utterance], criterion: str, settings: Settings, seed: int = 0) -> Folds:
    """Return the folds of one of `CRITERIA`; raise CorpusError in one line that names the option that stands in."""
    try:
        split = _split(utterances, criterion, settings, seed)
    except SplitError as error:
        raise CorpusError(
            f"corpus {name}, folds by {criterion}: {error}; "
            f"--option folds={max(2, _fewest(utterances, settings))} makes fewer"
        ) from error
    folds = split.folds
    stated = split.describe()
    limit = settings.tested_folds
    if limit is not None and limit < len(folds):
        # Spread, so that both halves of the scripts and several groups of speakers are met.
        chosen = np.unique(np.linspace(0, len(folds) - 1, limit).astype(int))
        folds = tuple(folds[i] for i in chosen)
        stated += f"; only {len(folds)} of them trained"
    return Folds(criterion=criterion, split=stated, folds=folds)


def _split(utterances: Sequence[Utterance], criterion: str, settings: Settings, seed: int) -> Split:
    if criterion == "random":
        return at_random(utterances, folds=settings.folds, seed=seed)
    ours = utterances[0].corpus == PAPER_CORPUS
    if criterion == "speaker":
        return by_session(utterances) if ours else by_speaker(utterances, folds=settings.folds, seed=seed)
    if criterion == "speaker-script":
        if ours and any(_third(u) for u in utterances):
            return _as_published(utterances)
        return by_speaker_and_script(utterances, folds=settings.folds, script_folds=settings.script_folds, seed=seed)
    raise SplitError(f"unknown criterion {criterion!r}; there are {', '.join(CRITERIA)}")


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


def _fewest(utterances: Sequence[Utterance], settings: Settings) -> int:
    speakers = {u.speaker for u in utterances if u.speaker is not None}
    return min(settings.folds, len(speakers))


def _words(text: str | None) -> str | None:
    return None if text is None else " ".join(text.lower().split())


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
