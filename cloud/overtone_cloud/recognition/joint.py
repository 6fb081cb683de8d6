"""Protocols over several corpora: a manifest of their common classes, folds with unseen speakers of every corpus."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.split_file import Fold, Split
from overtone_cloud.corpora.splits import by_corpus, by_speaker, corpus_of, hold_out
from overtone_cloud.corpora.utterance import Reading, Utterance, utterances_digest
from overtone_cloud.errors import CorpusError
from overtone_cloud.recognition.protocol import LoadedCorpus, Protocol, Seeds, as_protocol, check_folds
from overtone_common.files import write_atomically
from overtone_models.labels import ordered

COLUMNS = ("path", "label", "speaker", "gender", "sentence")
FOLDS = 3
ALL, WITHOUT = "all", "all-without-"


def common_labels(readings: Mapping[str, Reading]) -> tuple[str, ...]:
    """Return the classes that every corpus has; raise CorpusError for fewer than two."""
    sets = [{str(u.label) for u in reading.labelled} for reading in readings.values()]
    labels = ordered(set.intersection(*sets)) if sets else ()
    if len(labels) < 2:
        raise CorpusError(f"{', '.join(readings)} have {len(labels)} classes in common, one model needs at least 2")
    return labels


def write_joint(readings: Mapping[str, Reading], folder: Path) -> LoadedCorpus:
    """Write `manifest.csv` of all corpora's common classes and return it as a corpus; speakers are `corpus/speaker`."""
    labels = common_labels(readings)
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for corpus, reading in readings.items():
        rows.writerows(_row(corpus, u) for u in reading.labelled if u.label in labels)
    path = folder / "manifest.csv"
    write_atomically(path, text.getvalue().encode(), error=CorpusError)
    return LoadedCorpus(path=path, reading=read_corpus(path))


def _row(corpus: str, utterance: Utterance) -> dict[str, str]:
    if utterance.speaker is None:
        raise CorpusError(f"{corpus}: {utterance.id} has no speaker, so no fold can keep its speaker apart")
    return {
        "path": str(utterance.path.resolve()),
        "label": str(utterance.label),
        "speaker": f"{corpus}/{utterance.speaker}",
        "gender": utterance.gender or "",
        "sentence": utterance.sentence or "",
    }


def joint_protocol(joint: LoadedCorpus, seeds: Seeds, *, quick: bool = False) -> Protocol:
    """Return the protocol of one model for all corpora: each fold tests some speakers of each corpus.

    A corpus with fewer speakers than folds is tested in the first ones and trained on whole in the others.
    """
    labelled = joint.reading.labelled
    tests: list[set[str]] = [set() for _ in range(FOLDS)]
    for utterances in by_corpus(labelled).values():
        speakers = len({u.speaker for u in utterances})
        if speakers < 2:
            continue
        for number, fold in enumerate(by_speaker(utterances, folds=min(FOLDS, speakers)).folds):
            tests[number] |= set(fold.test)
    folds = tuple(
        Fold(
            name=f"fold {number}",
            train=tuple(u.id for u in labelled if u.id not in test),
            test=tuple(u.id for u in labelled if u.id in test),
        )
        for number, test in enumerate(tests, 1)
        if test
    )
    split = Split(
        kind="speaker",
        folds=folds,
        seed=0,
        corpus=joint.name,
        digest=utterances_digest(labelled),
        speakers_shared=False,
    )
    check_folds(joint.reading, split, seeds)
    return as_protocol(joint, split, ALL, seeds, limit=1 if quick else None)


def cross_protocol(joint: LoadedCorpus, corpus: str, seeds: Seeds) -> Protocol:
    """Return the protocol that trains on every corpus but one and tests that one."""
    speakers = sorted({str(u.speaker) for u in joint.reading.labelled if corpus_of(str(u.speaker)) == corpus})
    split = hold_out(joint.reading.utterances, speakers)
    check_folds(joint.reading, split, seeds)
    return as_protocol(joint, split, f"{WITHOUT}{corpus}", seeds)
