"""Several corpora joined to one for pretraining; the split records the inner speakers of early stopping."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.split_file import Split
from overtone_cloud.corpora.splits import hold_out
from overtone_cloud.corpora.utterance import Reading, Utterance, utterances_digest
from overtone_cloud.errors import CorpusError, TrainingError
from overtone_cloud.recognition.joint import common_labels
from overtone_cloud.training.features import Features
from overtone_cloud.training.settings import TrainSettings


def join(readings: Mapping[str, Reading]) -> Reading:
    """Return the utterances of the classes that all corpora have; ids and speakers are `corpus/...`.

    A class that one corpus alone has would be recognised by that corpus' room and language, not by its emotion.
    Ids do not depend on the corpora's folders, nor on their file formats. Raises CorpusError for fewer than two
    classes, a missing speaker, or two recordings of one name.
    """
    labels = common_labels(readings)
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
