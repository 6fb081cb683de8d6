"""Paper C: the three splits, its options, and the whole run on synthetic voices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError, CorpusError
from overtone_models.window_model import WindowModel, load_calibration, load_test
from overtone_papers.common.report import Report
from overtone_papers.common.study import Study
from overtone_papers.tess.claims import Evidence, claims
from overtone_papers.tess.data import Settings, describe, divide, known_pairs
from overtone_papers.tess.system import SYSTEM, estimate

EMOTIONS = ("angry", "disgust", "fearful", "happy", "neutral", "surprised", "sad")
FOLDERS = ("angry", "disgust", "fear", "happy", "neutral", "pleasant_surprised", "sad")


def tess(words: int = 20) -> tuple[Utterance, ...]:
    """Return TESS as its folders lie: two women, seven emotions."""
    return tuple(
        Utterance(
            id=f"{who}_{folder}/{n:03d}.wav", path=Path("x"), corpus="tess", label=label, speaker=who, gender="female"
        )
        for who in ("OAF", "YAF")
        for folder, label in zip(FOLDERS, EMOTIONS, strict=True)
        for n in range(words)
    )


def study(reading: Reading, out: Path, **changes: object) -> Study:
    given = Study(system="C", readings={"voices": reading}, parts=SYSTEM.parts, out=out, cache=out / "cache", jobs=1)
    return replace(given, **changes)  # type: ignore[arg-type]


def test_the_tail_is_the_last_fifth_of_the_folders() -> None:
    utterances = tess()
    shuffled = [utterances[i] for i in np.random.default_rng(0).permutation(len(utterances))]
    (fold,) = divide(shuffled, "tail", folds=5, seed=0)
    held = [u for u in utterances if u.id in fold.test]
    assert len(held) == 56
    assert {u.speaker for u in held} == {"YAF"}
    assert {u.label for u in held} == {"neutral", "surprised", "sad"}
    assert describe(shuffled, fold) == "YAF neutral (16), YAF sad (20), YAF surprised (20)"
    assert known_pairs(shuffled, fold) == pytest.approx(16 / 56)


def test_the_random_fifth_holds_nothing_new() -> None:
    utterances = tess()
    (fold,) = divide(utterances, "random", folds=5, seed=0)
    assert known_pairs(utterances, fold) == 1.0
    assert len(fold.test) == 56
    assert not set(fold.train) & set(fold.test)
    (other,) = divide(utterances, "random", folds=5, seed=1)
    assert set(other.test) != set(fold.test)
    assert describe(utterances, fold) == "OAF, YAF: 7 emotions"


def test_unheard_speakers_are_tested_one_by_one_where_they_are_few() -> None:
    utterances = tess()
    folds = divide(utterances, "speaker", folds=5, seed=0)
    assert [d.name for d in folds] == ["speaker OAF", "speaker YAF"]
    assert [known_pairs(utterances, d) for d in folds] == [0.0, 0.0]


def test_many_speakers_make_folds(voices: Path) -> None:
    utterances = read_corpus(voices).labelled
    assert len(divide(utterances, "speaker", folds=3, seed=0)) == 3
    assert len(divide(utterances, "speaker", folds=6, seed=0)) == 6


def test_one_speaker_gets_one_line_with_the_option_that_stands_in() -> None:
    alone = [u for u in tess() if u.speaker == "OAF"]
    with pytest.raises(CorpusError, match=r"names 1 speaker.*--option splits=random,tail"):
        divide(alone, "speaker", folds=5, seed=0)


def test_a_corpus_without_emotions_gets_one_line() -> None:
    bare = Reading(corpus="folders", root=Path(), utterances=tuple(replace(u, label=None) for u in tess()))
    with pytest.raises(CorpusError, match=r"corpus mine has 0 emotion.*manifest"):
        SYSTEM.needs({"mine": bare})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": "0"}, "option epochs is 0, limit is 1..100000"),
        ({"batch": "many"}, "option batch is 'many'"),
        ({"scale": "half"}, "it takes none, standard"),
        ({"splits": "random,tale"}, "it takes random, tail, speaker, each once"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, str], words: str) -> None:
    reading = Reading(corpus="tess", root=tmp_path, utterances=tess())
    with pytest.raises(ConfigError, match=words):
        study(reading, tmp_path, options=options).settings(Settings)


def test_the_estimate_counts_the_trainings(tmp_path: Path) -> None:
    reading = Reading(corpus="tess", root=tmp_path, utterances=tess(200))
    assert estimate(study(reading, tmp_path)).startswith("system C: 4 trainings of 50 epochs, about ")
    assert estimate(study(reading, tmp_path, quick=True, seeds=2)).startswith("system C: 8 trainings of 12 epochs")
    assert "pictures" in estimate(study(reading, tmp_path, parts=("exploration",)))


@pytest.fixture(scope="module")
def ran(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Report]:
    """Run the splits of system C on six synthetic voices, two epochs each."""
    out = tmp_path_factory.mktemp("c")
    options = {"epochs": "2", "batch": "16", "folds": "2", "scale": "standard"}
    made = study(read_corpus(voices), out, options=options, parts=("splits",))
    return made, SYSTEM.run(made)


def test_a_run_states_every_split(ran: tuple[Study, Report]) -> None:
    made, report = ran
    assert [part.name for part in report.parts] == ["splits", "random", "tail", "speaker"]
    comparison = report.parts[0].tables[0]
    assert [row[1] for row in comparison.rows] == ["random", "tail", "speaker"]
    assert "speakers shared" in report.parts[1].split
    assert "not heard in training" in report.parts[3].split
    assert all((made.out / p.path).is_file() for part in report.parts for p in part.pictures)
    assert len(report.parts[3].figures["voices"]) == 2
    assert report.choices
    assert not report.claims  # the paper's claims are about TESS


def test_its_network_can_go_on_to_a_device(ran: tuple[Study, Report]) -> None:
    from overtone_models.networks.papers import build

    made, report = ran
    folder = made.out / "networks" / "c-lstm-voices"
    model = WindowModel.load(folder)
    assert model.labels == ("neutral", "sad", "angry")
    assert "speakers shared" in model.split
    network = build(model.network, **model.options)
    network.set_weights(model.weights)
    x, y = load_test(folder)
    assert np.abs(x[0]).max() > 20  # raw features, not standardised ones
    right = network.predict(model.standardise(x)[0], verbose=0).argmax(1) == y
    assert right.mean() == pytest.approx(report.parts[1].figures["voices"][0]["scores"]["accuracy"], abs=1e-6)
    assert load_calibration(folder)[0].shape[1:] == (40, 1)


def test_the_same_run_goes_on_from_what_is_kept(ran: tuple[Study, Report]) -> None:
    made, report = ran
    lines: list[str] = []
    again = replace(made, log=lines.append, kept_seconds=[])
    assert SYSTEM.run(again) == report
    assert sum("kept from an earlier run" in line for line in lines) == 4
    (made.out / "networks" / "c-lstm-voices" / "test.npz").unlink()
    lines.clear()
    SYSTEM.run(again)
    assert sum("kept from an earlier run" in line for line in lines) == 3


@pytest.mark.parametrize(("epochs", "holds"), [(12, None), (50, True)])
def test_the_tail_is_judged_after_enough_epochs_only(epochs: int, holds: bool | None) -> None:
    curve = {"accuracy": [0.95] * epochs, "val_accuracy": [0.5] * epochs, "val_loss": [3.5] * epochs}
    scored = {"accuracy": 0.5, "n": 56}
    tail = {"history": curve, "scores": scored, "heard_before": 0.29, "seed": 0}
    random = {**tail, "scores": {**scored, "accuracy": 0.98}, "heard_before": 1.0}
    reading = Reading(corpus="tess", root=Path(), utterances=tess())
    balance, training, validation, gap = claims(
        Evidence(reading=reading, voices=None, trainings={"random": [random], "tail": [tail]})
    )
    assert (balance.holds, training.holds, validation.holds, gap.holds) == (True, True, holds, False)
    assert "random 98.0 %" in validation.ours
    assert "29 %" in gap.ours


@pytest.mark.slow
@pytest.mark.data
def test_half_of_the_tail_is_recognised_and_most_of_a_random_fifth(speech_data: Path, tmp_path: Path) -> None:
    readings = {"tess": read_corpus(speech_data / "tess")}
    made = Study(system="C", readings=readings, parts=("splits",), out=tmp_path, options={"splits": "random,tail"})
    rows = SYSTEM.run(made).parts[0].tables[0].rows
    found = {str(row[1]): float(str(row[4])) for row in rows[1:]}
    assert found["random"] > 90
    assert found["tail"] < 75
