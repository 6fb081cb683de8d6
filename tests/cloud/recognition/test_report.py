"""The table of one model for all corpora: each corpus' own speakers, heard in training or not."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.cli.benchmark import show
from overtone_cloud.corpora.splits import corpus_of
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.recognition.benchmark import ProtocolResults
from overtone_cloud.recognition.figures import Figure, Target
from overtone_cloud.recognition.joint import cross_protocol, joint_protocol, write_joint
from overtone_cloud.recognition.predictions import Predictions
from overtone_cloud.recognition.protocol import LoadedCorpus, Protocol, Seeds
from overtone_cloud.recognition.report import joint_rows
from overtone_cloud.recognition.results import TrainingResults

LABELS = ("sad", "angry")
SEEDS = Seeds(seeds=(0, 1))


@pytest.fixture
def joint(tmp_path: Path) -> LoadedCorpus:
    def reading(corpus: str, speakers: int) -> Reading:
        ids = [(f"s{s}", label, f"s{s}/{label}{n}.wav") for s in range(speakers) for label in LABELS for n in range(4)]
        utterances = tuple(
            Utterance(id=i, path=tmp_path / corpus / i, corpus=corpus, label=label, speaker=speaker)
            for speaker, label, i in ids
        )
        return Reading(corpus=corpus, root=tmp_path, utterances=utterances)

    return write_joint({"ravdess": reading("ravdess", 6), "emodb": reading("emodb", 3)}, tmp_path)


def finding(given: LoadedCorpus, protocol: Protocol, right: dict[str, float]) -> ProtocolResults:
    """Return what a model would find that is right in a share of each corpus' utterances of each class."""
    by_id = {u.id: u for u in given.reading.utterances}

    def taken(fold: str, seed: int) -> TrainingResults:
        used = [by_id[i] for i in protocol.split.fold(fold).test]
        targets = np.array([LABELS.index(str(u.label)) for u in used])
        numbers = np.array([int(u.id[-5]) for u in used])
        shares = np.array([right[corpus_of(str(u.speaker))] for u in used])
        predicted = np.where(numbers < 4 * shares, targets, 1 - targets)
        found = Predictions(
            LABELS,
            tuple(u.id for u in used),
            tuple(str(u.speaker) for u in used),
            targets,
            np.where(np.eye(2, dtype=bool)[predicted], 0.9, 0.1).astype(np.float32),
            np.zeros(len(used), np.float32),
        )
        return TrainingResults(fold=fold, seed=seed, results={"clean": {"predictions": found.to_json()}})

    results = tuple(taken(fold, seed) for seed in SEEDS.seeds for fold in protocol.folds)
    return ProtocolResults(protocol=protocol, reading=given.reading, trainings=results)


def test_each_corpus_is_scored_by_its_own_speakers(joint: LoadedCorpus) -> None:
    findings = {
        "all": finding(joint, joint_protocol(joint, SEEDS), {"ravdess": 0.75, "emodb": 0.5}),
        "all-without-emodb": finding(joint, cross_protocol(joint, "emodb", SEEDS), {"emodb": 0.25}),
    }
    emodb, ravdess = joint_rows(findings)
    assert (emodb["corpus"], ravdess["corpus"]) == ("emodb", "ravdess")
    assert ravdess["unseen_speakers"] == [75.0, 75.0]
    assert emodb["unseen_speakers"] == [50.0, 50.0]
    assert emodb["corpus_not_heard"] == [25.0, 25.0]
    assert ravdess["corpus_not_heard"] is None
    assert emodb["quiet"] is emodb["loud"] is None


def test_what_personal_heads_add_to_a_corpus_that_was_not_heard_is_the_mean_of_its_speakers(
    joint: LoadedCorpus,
) -> None:
    heard = finding(joint, cross_protocol(joint, "emodb", SEEDS), {"emodb": 0.25})
    speakers = [{"speaker": "a", "uar": 0.2, "uar_personal": 0.6}, {"speaker": "b", "uar": 0.3, "uar_personal": 0.5}]
    taken = tuple(replace(t, results={**t.results, "personal": {"speakers": speakers}}) for t in heard.trainings)
    assert joint_rows({"all-without-emodb": heard})[0]["personal_gain_not_heard"] is None
    (row,) = joint_rows({"all-without-emodb": replace(heard, trainings=taken)})
    assert row["personal_gain_not_heard"] == [30.0, 30.0]
    nobody = tuple(replace(t, results={**t.results, "personal": {"speakers": []}}) for t in heard.trainings)
    assert joint_rows({"all-without-emodb": replace(heard, trainings=nobody)})[0]["personal_gain_not_heard"] is None


def test_what_was_made_quiet_is_scored_beside(joint: LoadedCorpus) -> None:
    protocol = joint_protocol(joint, SEEDS)
    clean = finding(joint, protocol, {"ravdess": 1.0, "emodb": 1.0})
    quiet = finding(joint, protocol, {"ravdess": 0.5, "emodb": 1.0})
    taken = tuple(
        replace(a, results={**a.results, "quiet": b.results["clean"]})
        for a, b in zip(clean.trainings, quiet.trainings, strict=True)
    )
    emodb, ravdess = joint_rows({"all": replace(clean, trainings=taken)})
    assert (emodb["quiet"], ravdess["quiet"]) == ([100.0, 100.0], [50.0, 50.0])
    assert ravdess["loud"] is None


def test_without_a_model_for_all_there_is_no_table() -> None:
    assert joint_rows({}) == []


def test_one_model_for_all_is_shown_beside_the_targets(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Figure(
        corpus="all", name="UAR lost", unit="points", values=(1.0, 2.0), target=Target(sign="<=", limit=1.0)
    )
    show(
        {
            "corpora": {},
            "figures": [],
            "joint": [],
            "joint_details": {"figures": [figure.to_json()]},
            "protocols": {"all": {"split": "speaker, 3 folds"}},
            "quick": False,
        }
    )
    out = capsys.readouterr().out
    assert "One model for all corpora" in out
    assert re.search(r"UAR lost\W+1\.5 ± 0\.7 points\W+<= 1\W+no", out)
