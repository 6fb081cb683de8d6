"""System B as a whole: what it refuses, unlabelled speech, and a small run on real recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from overtone_cloud.corpora import read_corpus
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_models.networks import papers
from overtone_models.window_model import WindowModel, load_test
from overtone_papers.catalogue import system
from overtone_papers.common.running import execute
from overtone_papers.common.study import Study
from overtone_papers.valence import unlabelled
from overtone_papers.valence.system import SYSTEM


def reading(corpus: str, speakers: int, label: str | None = None) -> Reading:
    labels = [label, label] if label else ["sad", "happy"]
    utterances = tuple(
        Utterance(id=f"{s}-{own}-{i}", path=Path(f"{s}-{own}-{i}.wav"), corpus=corpus, label=own, speaker=str(s))
        for s in range(speakers)
        for i, own in enumerate(labels)
    )
    return Reading(corpus=corpus, root=Path(), utterances=utterances)


def tone(path: Path, seconds: float, rate_hz: int = 16_000) -> None:
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 150 * time_s), rate_hz)


def test_the_catalogue_has_it() -> None:
    assert system("b") is SYSTEM
    assert SYSTEM.chosen("search") == ("search",)


def test_needs_names_the_corpus_and_what_stands_in() -> None:
    SYSTEM.needs({"ravdess": reading("ravdess", 4)})
    with pytest.raises(CorpusError, match=r"^tess: 2 speakers are too few.*--option unlabelled=PATH$"):
        SYSTEM.needs({"tess": reading("tess", 2)})
    with pytest.raises(CorpusError, match=r"^ravdess: 8 of 8 utterances have a valence.*--option unlabelled=PATH"):
        SYSTEM.needs({"ravdess": reading("ravdess", 4, "sad")})


def test_estimate_counts_trainings_before_the_start(tmp_path: Path) -> None:
    study = Study(system="B", readings={"ravdess": reading("ravdess", 10)}, parts=("folds",), out=tmp_path, seeds=2)
    assert "40 trainings" in SYSTEM.estimate(study)
    quick = Study(system="B", readings=study.readings, parts=SYSTEM.parts, out=tmp_path, quick=True)
    assert "4 trainings and 8 trials" in SYSTEM.estimate(quick)


def test_unlabelled_speech_is_bounded_and_spread_over_the_folders(tmp_path: Path) -> None:
    for folder, count in (("one", 6), ("two", 3)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            tone(tmp_path / folder / f"{i}.wav", 10)
    (tmp_path / "two" / "broken.wav").write_bytes(b"nothing")
    files = unlabelled.find((tmp_path / "one", tmp_path / "two"), 60 / 3600)
    assert len(files.paths) == 6
    assert {p.parent.name for p in files.paths} == {"one", "two"}
    assert files.beyond == 3
    assert files.unreadable == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no sound files in it for --option unlabelled"):
        unlabelled.find((tmp_path / "empty",), 1.0)


def test_long_recordings_are_cut_into_minutes_once(tmp_path: Path) -> None:
    (tmp_path / "meeting").mkdir()
    tone(tmp_path / "meeting" / "long.wav", 130, 8_000)
    lines: list[str] = []
    study = Study(system="B", readings={}, parts=(), out=tmp_path / "out", cache=tmp_path / "cache", log=lines.append)
    files = unlabelled.find((tmp_path / "meeting",), 1.0)
    recordings = unlabelled.load(files, study)
    assert [r.spectrogram.shape[1] for r in recordings] == [3751, 3751, 626]
    unlabelled.load(files, study)
    assert sum("cut into pieces" in line for line in lines) == 1


@pytest.mark.slow
@pytest.mark.data
def test_a_small_run_on_real_speech_resumes_and_leaves_networks(speech_data: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "ravdess"
    corpus.mkdir()
    for actor in ("01", "02", "03", "04"):
        (corpus / f"Actor_{actor}").symlink_to(speech_data / "ravdess" / f"Actor_{actor}")
    lines: list[str] = []
    given: dict[str, Any] = {"networks": "b-multitask-cnn,b-multitask-dcgan", "epochs": "1", "epoch_samples": "128"}
    study = Study(
        system="B",
        readings={"ravdess": read_corpus(corpus, "ravdess")},
        parts=("folds",),
        out=tmp_path / "out",
        cache=tmp_path / "cache",
        quick=True,
        options={**given, "unlabelled": str(speech_data / "ami")},
        log=lines.append,
    )
    report = execute(SYSTEM, study)
    part = report["parts"][0]
    assert part["split"].startswith("leave one speaker group out, 2 folds, 1 of them run")
    assert [row[0] for row in part["tables"][0]["rows"]] == ["multitask-cnn", "multitask-dcgan"]
    assert all(claim["holds"] is None for claim in report["claims"])
    assert (study.out / "generated" / "b-multitask-dcgan" / "epoch-001.png").is_file()
    for name in ("b-multitask-cnn", "b-multitask-dcgan"):
        folder = study.out / "networks" / name
        model = WindowModel.load(folder)
        network = papers.build(model.network, **model.options)
        network.set_weights(list(model.weights))
        raw, y = load_test(folder)
        logits = network.predict(model.standardise(raw)[0], verbose=0)
        assert logits.shape == (len(y), 5)
        assert np.abs(model.standardise(raw)[0]).max() <= 1.0
    lines.clear()
    again = execute(SYSTEM, study)
    assert sum("kept from an earlier run" in line for line in lines) == 2
    assert again["parts"][0]["tables"] == part["tables"]
