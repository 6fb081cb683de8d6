"""Protocols: what is too small or lacks a class is refused before any training."""

from dataclasses import replace
from pathlib import Path

import pytest

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError, SplitError
from overtone_cloud.recognition.joint import (
    common_labels,
    corpus_of,
    cross_protocol,
    joint_protocol,
    write_joint,
)
from overtone_cloud.recognition.protocol import LoadedCorpus, Seeds, lacking, shared_protocol, speaker_protocol

SEEDS = Seeds(seeds=(0, 1, 2))
LABELS = ("neutral", "sad", "angry")


def made(speakers: int, name: str = "ravdess", labels: tuple[str, ...] = LABELS, each: int = 4) -> LoadedCorpus:
    utterances = tuple(
        Utterance(
            id=f"{speaker:02}/{label}-{take}.wav",
            path=Path(f"{name}/{speaker:02}/{label}-{take}.wav"),
            corpus=name,
            label=label,
            speaker=f"{speaker:02}",
            gender="male" if speaker % 2 else "female",
        )
        for speaker in range(1, speakers + 1)
        for label in labels
        for take in range(each)
    )
    return LoadedCorpus(path=Path(name), reading=Reading(corpus=name, root=Path(name), utterances=utterances))


def without(given: LoadedCorpus, *unwanted: tuple[str, str]) -> LoadedCorpus:
    """Return the corpus without a speaker's utterances of a label, for each (speaker, label)."""
    kept = tuple(u for u in given.reading.utterances if (u.speaker, u.label) not in unwanted)
    return replace(given, reading=replace(given.reading, utterances=kept))


def test_large_corpora_get_six_folds_of_speakers_and_every_seed() -> None:
    protocol = speaker_protocol(made(18), None, SEEDS)
    assert len(protocol.folds) == 6
    assert not protocol.split.speakers_shared
    trainings = list(protocol.trainings(Path("out")))
    assert len(trainings) == 18
    assert len({t.folder for t in trainings}) == 18
    assert {t.seed for t in trainings} == {0, 1, 2}
    tested = [i for fold in protocol.split.folds for i in fold.test]
    assert len(tested) == len(set(tested)) == 18 * 12
    assert all(len({i[:2] for i in fold.test}) == 3 for fold in protocol.split.folds)


def test_small_corpora_leave_one_speaker_out() -> None:
    protocol = speaker_protocol(made(8, "emodb"), None, SEEDS)
    assert protocol.folds == tuple(f"speaker {n:02}" for n in range(1, 9))


def test_a_quick_protocol_has_one_fold_and_the_random_one_shares_speakers() -> None:
    assert len(speaker_protocol(made(18), None, SEEDS, quick=True).folds) == 1
    shared = shared_protocol(made(18), SEEDS)
    assert shared.split.speakers_shared
    assert len(shared.folds) == 1
    assert shared.describe() == (
        "ravdess, random, stratified by label, speakers shared, 1 fold, 44 utterances tested, seed 0"
    )


def test_a_description_counts_what_is_trained_only() -> None:
    quick = speaker_protocol(made(18), None, SEEDS, quick=True)
    assert "6 folds, 216 utterances tested" in quick.split.describe()
    assert "1 fold, 36 utterances tested" in quick.describe()


def test_emobox_folds_need_every_actor() -> None:
    with pytest.raises(SplitError, match="has 18 actors, EmoBox folds need all 24; --folds 6"):
        speaker_protocol(made(18), "emobox", SEEDS)
    protocol = speaker_protocol(made(24), "emobox", SEEDS)
    assert [len({i[:2] for i in fold.test}) for fold in protocol.split.folds] == [4, 4, 4, 4, 4, 4]
    with pytest.raises(SplitError, match="known for ravdess only"):
        speaker_protocol(made(8, "emodb"), "emobox", SEEDS)


@pytest.mark.parametrize(
    ("speakers", "folds", "text"),
    [
        (4, "6", "4 speakers are too few for 6 folds"),
        (4, "1", "1 folds of speakers asked for"),
        (2, "2", "1 training speaker leaves no inner speaker"),
        (2, None, "1 training speaker leaves no inner speaker"),
        (4, "many", "they must be a number, emobox or leave-one-speaker-out"),
        (4, "-3", "they must be a number"),
    ],
)
def test_corpora_too_small_for_their_folds(speakers: int, folds: str | None, text: str) -> None:
    with pytest.raises(SplitError, match=text):
        speaker_protocol(made(speakers, "emodb"), folds, SEEDS)


def test_a_fold_that_cannot_train_a_class_is_refused() -> None:
    only_one = without(made(6), *((f"{n:02}", "sad") for n in range(2, 7)))
    with pytest.raises(SplitError, match=r"ravdess, .*: its training part \(seed \d\) has no utterance of sad"):
        speaker_protocol(only_one, "leave-one-speaker-out", SEEDS)


def test_a_fold_that_cannot_test_a_class_is_refused_unless_it_is_one_speaker() -> None:
    given = without(made(6), ("01", "sad"))
    protocol = speaker_protocol(given, "leave-one-speaker-out", SEEDS)
    assert lacking(given.reading, protocol.split.folds[0]) == ("sad",)
    assert lacking(given.reading, protocol.split.folds[1]) == ()
    with pytest.raises(SplitError, match="its test part has no utterance of sad"):
        speaker_protocol(given, "6", SEEDS)


@pytest.fixture
def joint(tmp_path: Path) -> LoadedCorpus:
    corpora = {
        "ravdess": made(9).reading,
        "emodb": made(5, "emodb", ("neutral", "sad", "angry", "bored")).reading,
        "tess": made(2, "tess").reading,
    }
    return write_joint(corpora, tmp_path)


def test_one_model_for_all_has_the_common_classes_and_unseen_speakers_of_each_corpus(joint: LoadedCorpus) -> None:
    protocol = joint_protocol(joint, SEEDS)
    assert protocol.labels == LABELS
    speakers = {u.id: str(u.speaker) for u in joint.reading.utterances}
    assert len(joint.reading.utterances) == (9 + 5 + 2) * 12
    tested: list[str] = []
    for fold in protocol.split.folds:
        heard, unseen = {speakers[i] for i in fold.train}, {speakers[i] for i in fold.test}
        assert not heard & unseen
        tested += fold.test
    assert len(tested) == len(set(tested)) == len(joint.reading.utterances)
    first, _, last = protocol.split.folds
    assert {corpus_of(speakers[i]) for i in first.test} == {"ravdess", "emodb", "tess"}
    assert {corpus_of(speakers[i]) for i in last.test} == {"ravdess", "emodb"}


def test_cross_corpus_training_never_hears_the_corpus(joint: LoadedCorpus) -> None:
    protocol = cross_protocol(joint, "emodb", SEEDS)
    speakers = {u.id: str(u.speaker) for u in joint.reading.utterances}
    (fold,) = protocol.split.folds
    assert {corpus_of(speakers[i]) for i in fold.test} == {"emodb"}
    assert {corpus_of(speakers[i]) for i in fold.train} == {"ravdess", "tess"}
    assert protocol.name == "all-without-emodb"


def test_corpora_without_common_classes_make_no_model(tmp_path: Path) -> None:
    corpora = {"ravdess": made(3).reading, "emodb": made(3, "emodb", ("angry", "bored")).reading}
    with pytest.raises(CorpusError, match="ravdess, emodb have 1 classes in common"):
        common_labels(corpora)
    nameless = made(3)
    unknown = tuple(replace(u, speaker=None) for u in nameless.reading.utterances)
    with pytest.raises(CorpusError, match="has no speaker"):
        write_joint({"ravdess": replace(nameless.reading, utterances=unknown)}, tmp_path)
