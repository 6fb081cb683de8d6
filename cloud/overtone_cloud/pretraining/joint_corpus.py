"""Several corpora joined to one for pretraining; the split records the inner speakers of early stopping."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.split_file import Split
from overtone_cloud.corpora.splits import hold_out
from overtone_cloud.corpora.utterance import Reading, Utterance, utterances_digest
from overtone_cloud.errors import ConfigError, CorpusError, TrainingError
from overtone_cloud.recognition.joint import common_labels
from overtone_cloud.training.features import Features
from overtone_cloud.training.settings import TrainSettings
from overtone_models.errors import LabelError
from overtone_models.labels import canonical_label, ordered

COMMON, EVERY = "common", "all"
"""The classes that every corpus has, and those that any of them has."""
LEAST_CLASSES = 2


def classes_to_train(readings: Mapping[str, Reading], classes: str = COMMON) -> tuple[str, ...]:
    """Return the classes of one model for all corpora: COMMON, EVERY, or names with commas.

    COMMON is the usual: a class that one corpus alone has would be recognised by that corpus' room and language, not by
    its emotion. Raises ConfigError for an unknown class, one that no corpus has, fewer than two, or a corpus that has
    none of them.
    """
    if classes == COMMON:
        return common_labels(readings)
    own = {name: {str(u.label) for u in reading.labelled} for name, reading in readings.items()}
    there = ordered(set().union(*own.values()))
    labels = there if classes == EVERY else _named(classes)
    if absent := [label for label in labels if label not in there]:
        raise ConfigError(f"--classes {classes}: no corpus has {absent[0]}; there are {', '.join(there)}")
    if len(labels) < LEAST_CLASSES:
        raise ConfigError(f"--classes {classes}: {len(labels)} classes, one model needs at least {LEAST_CLASSES}")
    if without := [name for name, had in own.items() if not had & set(labels)]:
        raise ConfigError(f"--classes {classes}: {without[0]} has none of them ({', '.join(ordered(own[without[0]]))})")
    return labels


def _named(classes: str) -> tuple[str, ...]:
    try:
        return ordered(canonical_label(name) for name in classes.split(",") if name.strip())
    except LabelError as error:
        raise ConfigError(f"--classes {classes}: {error}; or {COMMON} or {EVERY}") from error


def join(readings: Mapping[str, Reading], labels: Iterable[str]) -> Reading:
    """Return the utterances of the classes `labels`; ids and speakers are `corpus/...`.

    Each corpus gives the classes that it has: an utterance counts for its own class and against all others, which it is
    not, whether or not its corpus has them. Ids do not depend on where the corpora lie, nor on the kind of their files.
    Raises CorpusError for a missing speaker, or two recordings of one name.
    """
    labels = set(labels)
    utterances = [
        _renamed(name, u) for name, reading in readings.items() for u in reading.labelled if u.label in labels
    ]
    utterances.sort(key=lambda u: u.id)
    for first, second in pairwise(utterances):
        if first.id == second.id:
            raise CorpusError(f"{first.path} and {second.path} have one name but for their endings")
    return Reading(corpus="+".join(sorted(readings)), root=Path(), utterances=tuple(utterances))


def _renamed(corpus: str, utterance: Utterance) -> Utterance:
    if utterance.speaker is None:
        raise CorpusError(f"{corpus}: {utterance.id} has no speaker, so no inner speakers can be set aside")
    name = PurePosixPath(utterance.id).with_suffix("")
    return replace(utterance, id=f"{corpus}/{name}", speaker=f"{corpus}/{utterance.speaker}")


def split_of(reading: Reading, settings: TrainSettings, inner: Features) -> Split:
    """Return the split to store with the model: its test part are the inner speakers.

    Utterances without audible speech are in it too: the split follows from corpora and speakers alone.
    """
    held_out = hold_out(reading.utterances, sorted({str(u.speaker) for u in inner.utterances}))
    return replace(held_out, corpus=reading.corpus, seed=settings.seed)


def inner_part(reading: Reading, split: Split, features: Features) -> Features:
    """Return the inner speakers' features; raise TrainingError where the split is of other corpora than these."""
    if split.digest != utterances_digest(reading.utterances):
        raise TrainingError(
            f"the split was made for {split.corpus} in another state: its digest is {split.digest[:12]}, "
            f"{reading.corpus} here has {reading.digest[:12]}"
        )
    return features.where(split.folds[0].test)
