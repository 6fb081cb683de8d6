"""System A from a synthetic corpus to its report, and its requirements of a corpus."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.corpora import read_corpus
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.synthesis import write_corpus
from overtone_models.window_model import WindowModel
from overtone_papers.common.study import Study
from overtone_papers.federated.claims import claims
from overtone_papers.federated.data import LABELS, Settings, check_speakers, divide, majority, needs
from overtone_papers.federated.system import SYSTEM

OPTIONS = {"engine": "own", "networks": "a-conv", "epochs": "2", "rounds": "2", "clients-rounds": "1"}


def utterance(number: int, label: str, speaker: str | None) -> Utterance:
    return Utterance(id=f"{number}.wav", path=Path(f"{number}.wav"), corpus="own", label=label, speaker=speaker)


def reading(*utterances: Utterance) -> Mapping[str, Reading]:
    return {"own": Reading(corpus="own", root=Path(), utterances=utterances)}


def make_study(readings: Mapping[str, Reading], out: Path, parts: tuple[str, ...], **options: str) -> Study:
    return Study(system="A", readings=readings, parts=parts, out=out, quick=True, options=OPTIONS | options)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Reading]:
    """Five synthetic speakers with the paper's four emotions, three clips of each."""
    folder = tmp_path_factory.mktemp("voices") / "corpus"
    write_corpus(folder, 5, LABELS, 3, seed=5)
    return {"voices": read_corpus(folder)}


@pytest.mark.slow
def test_the_whole_experiment(corpus: Mapping[str, Reading], tmp_path: Path) -> None:
    study = make_study(corpus, tmp_path / "out", SYSTEM.parts, splits="random")
    study = Study(**{**vars(study), "cache": tmp_path / "cache"})
    SYSTEM.needs(corpus)
    assert SYSTEM.estimate(study).startswith("system A: 8 trainings of a-conv on 48 clips (own), about ")
    report = SYSTEM.run(study)
    assert [part.name for part in report.parts] == ["settings", "clients", "speakers"]
    assert all("speakers shared" in part.split for part in report.parts)
    comparison = report.parts[0].tables[0]
    assert len({len(row) for row in comparison.rows} | {len(comparison.columns)}) == 1
    assert [row[1] for row in comparison.rows] == [
        "always the most frequent class",
        "central (the paper's baseline)",
        "random clients",
        "one emotion per client",
    ]
    assert comparison.rows[1][3:6] == (32.0, 16.0, 460) and comparison.rows[0][6] == 25.0
    assert all((study.out / picture.path).stat().st_size for part in report.parts for picture in part.pictures)
    assert [len(r["clients"]) for r in report.parts[1].figures["results"]] == [1, 4]
    assert {len(r["clients"]) for r in report.parts[2].figures["results"]} == {4, 5}
    model = WindowModel.load(study.out / "networks" / "a-conv")
    assert model.labels == LABELS and "speakers shared" in model.split
    with np.load(study.out / "networks" / "a-conv" / "test.npz") as stored:
        assert stored["x0"].shape[1:] == (100, 34) and len(stored["y"]) == len(stored["x0"])
    again: list[str] = []
    SYSTEM.run(Study(**{**vars(study), "log": again.append}))
    assert sum("kept from an earlier run" in line for line in again) == 8


def test_a_corpus_without_an_emotion_or_speakers_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no utterance of own is labelled happy or sad; system A needs angry"):
        needs(reading(utterance(1, "angry", "a"), utterance(2, "neutral", "b")))
    alone = reading(*(utterance(i, LABELS[i % 4], "a") for i in range(40)))
    study = make_study(alone, tmp_path, ("settings",))
    with pytest.raises(CorpusError, match=r"corpus own names 1 speaker\(s\) .* give --option splits=random"):
        check_speakers(study, study.settings(Settings))
    nobody = reading(*(utterance(i, LABELS[i % 4], None) for i in range(40)))
    study = make_study(nobody, tmp_path, ("speakers",), splits="random")
    with pytest.raises(CorpusError, match="does not name all speakers"):
        check_speakers(study, study.settings(Settings))


def test_divisions_are_stratified_or_leave_speakers_out() -> None:
    utterances = tuple(utterance(i, LABELS[i % 4], f"s{i // 20}") for i in range(100))
    of = {u.id: u for u in utterances}
    random = divide(utterances, "random", seed=1)
    assert Counter(of[i].label for i in random.test) == dict.fromkeys(LABELS, 5) and len(random.train) == 80
    unheard = divide(utterances, "speaker", seed=1)
    assert not {of[i].speaker for i in unheard.test} & {of[i].speaker for i in unheard.train}
    assert majority(np.array([0, 1, 1, 2])) == 0.5


def result(setting: str, accuracy: float, seconds: float) -> dict[str, Any]:
    return {
        "network": "a-conv",
        "setting": setting,
        "engine": "keras" if setting == "central" else "own",
        "split": "random",
        "seed": 0,
        "majority": 0.34,
        "seconds": seconds,
        "scores": {"accuracy": accuracy, "macro_f1": accuracy},
    }


def test_claims_follow_the_figures(tmp_path: Path) -> None:
    settings = make_study({}, tmp_path, ("settings",)).settings(Settings)
    good = [result("central", 0.70, 10), result("random", 0.68, 12), result("emotion", 0.30, 12)]
    assert [c.holds for c in claims(settings, good, [], quick=False)] == [True, False, True, True, False]
    weak = [result("central", 0.32, 10), result("random", 0.41, 8), result("emotion", 0.23, 8)]
    weak_claims = claims(settings, weak, [], quick=False)
    assert [c.holds for c in weak_claims] == [False, True, True, True, True]
    assert {c.holds for c in claims(settings, weak, [], quick=True)} == {None}
    assert "two of the three baselines are worse than no recognition" in weak_claims[0].paper


@pytest.mark.slow
@pytest.mark.data
def test_ravdess_is_recognised_far_above_the_majority(speech_data: Path, tmp_path: Path) -> None:
    readings = {"ravdess": read_corpus(speech_data / "ravdess")}
    study = make_study(readings, tmp_path / "out", ("settings",), splits="random", epochs="12", rounds="12")
    results = SYSTEM.run(study).parts[0].figures["results"]
    accuracy = {r["setting"]: r["scores"]["accuracy"] for r in results}
    assert accuracy["central"] > results[0]["majority"] + 0.2
    assert accuracy["random"] > results[0]["majority"] + 0.1 > accuracy["emotion"]
