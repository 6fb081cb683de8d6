"""`overtone benchmark recognition`, end to end: on synthetic voices, and (slow) on real recordings."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_cloud.recognition.benchmark import TRIAL_SETTINGS
from overtone_cloud.training.settings import read_settings

Overtone = Callable[..., tuple[int, str, str]]

PARTS = (*("--part", "int8", "--part", "noise", "--part", "silence"), *("--protocol", "alone", "--protocol", "random"))


@pytest.fixture(scope="module")
def finished(voices: Path, sounds: Path, quick: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a quick benchmark on synthetic voices."""
    from overtone_cloud.cli.main import main

    out = tmp_path_factory.mktemp("benchmark") / "out"
    words = ["benchmark", "recognition", "--corpus", f"manifest={voices}", "--sounds", sounds, "--settings", quick]
    words += ["--quick", "--folds", "3", "--out", out, "--cache", cache, "--json", *PARTS]
    assert main(list(map(str, words))) == 0
    return out


def _tested(folder: Path) -> list[str]:
    """Return the ids that were tested, from the measures of the only fold."""
    kept = json.loads((folder / "manifest" / "fold1" / "seed0" / "measures" / "clean.json").read_text())
    return list(kept["result"]["predictions"]["ids"])


def test_the_report_holds_figures_with_their_split(finished: Path) -> None:
    report = json.loads((finished / "recognition.json").read_text())
    assert report["quick"] is True
    assert report["complete"] is True
    assert report["seeds"] == [0]
    assert set(report["protocols"]) == {"manifest", "manifest-speakers-shared"}
    assert report["protocols"]["manifest"]["speakers_shared"] is False
    assert report["protocols"]["manifest-speakers-shared"]["speakers_shared"] is True
    figures = {row["figure"]: row for row in report["figures"]}
    assert 0 <= figures["UAR, unseen speakers"]["mean"] <= 100
    assert [row["figure"] for row in report["figures"]][1] == "UAR, speakers shared (random split)"
    assert figures["int8 streaming model"]["met"] is True
    assert figures['seconds of silence with "no decision"']["target"] == ">= 95"
    details = report["corpora"]["manifest"]
    assert set(details["recalls"]["0"]) == {"neutral", "sad", "angry"}
    assert details["speaker_uar"]["0"].keys() == {i.split("/")[0] for i in _tested(finished)}
    assert details["unheard"] == {"noise": 0}
    assert set(details["gender_uar"]["0"]) == {"not told"}
    assert sum(map(sum, details["confusion"]["0"])) == 24
    words = "--corpus manifest=path/to/manifest --folds manifest=3 --seeds 1 --settings settings.toml"
    parts = "--protocol alone --protocol random --part int8 --part noise --part silence --quick"
    assert report["command"] == f"overtone benchmark recognition {words} --sounds path/to/sounds {parts}"
    assert report["joint_details"] is None
    assert report["device"]["learning"]["held_out_fraction"] > 0
    bins = details["reliability"]
    assert sum(b["utterances"] for b in bins) == 24
    covered = [c["coverage"] for c in details["coverage"]["0"]]
    assert covered == sorted(covered, reverse=True)
    assert {layer["name"] for layer in details["layers"]} >= {"stem", "block0", "head"}
    for name in ("reliability-manifest.png", "coverage-manifest.png"):
        assert (finished / name).read_bytes().startswith(b"\x89PNG")
    assert (finished / "report.html").read_text().count("<img") == 2


def test_the_same_command_goes_on_and_takes_nothing_twice(
    overtone: Overtone, finished: Path, voices: Path, sounds: Path, quick: Path, cache: Path
) -> None:
    before = json.loads((finished / "recognition.json").read_text())
    words = ("--corpus", f"manifest={voices}", "--sounds", sounds, "--settings", quick, "--quick", "--folds", "3")
    status, out, err = overtone("benchmark", "recognition", *words, "--out", finished, "--cache", cache, *PARTS)
    assert status == 0
    assert "training" not in err.replace("2 trainings", "")
    assert "int8" not in err
    after = json.loads((finished / "recognition.json").read_text())
    assert after["figures"] == before["figures"]
    for text in ("UAR, unseen speakers", "UAR, speakers shared", "target", "report.html", "figures are not meaningful"):
        assert text in out


def test_an_interrupted_benchmark_goes_on(
    overtone: Overtone, voices: Path, quick: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--corpus", f"manifest={voices}", "--settings", quick, "--quick", "--folds", "3", "--part", "clean")
    words = (*words, "--protocol", "alone")
    words = ("benchmark", "recognition", *words, "--out", tmp_path / "out", "--cache", cache)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("overtone_cloud.recognition.measures.predict_test_part", interrupted)
        status, _, err = overtone(*words)
    assert status == 130
    assert "the same command resumes there" in err
    assert not (tmp_path / "out" / "recognition.json").exists()
    status, _, err = overtone(*words)
    assert status == 0
    assert "training" not in err.replace("1 trainings", "")
    assert (tmp_path / "out" / "recognition.json").exists()


def test_what_was_found_so_far_is_reported(
    overtone: Overtone, finished: Path, voices: Path, sounds: Path, quick: Path, cache: Path, tmp_path: Path
) -> None:
    """The first protocol is done, the second one's folder holds something else."""
    out = tmp_path / "out"
    shutil.copytree(finished / "manifest", out / "manifest")
    (out / "manifest-speakers-shared").write_text("in the way")
    words = ("--corpus", f"manifest={voices}", "--sounds", sounds, "--settings", quick, "--quick", "--folds", "3")
    status, _, err = overtone("benchmark", "recognition", *words, "--out", out, "--cache", cache, *PARTS)
    assert (status, err.count("overtone: ")) == (1, 1)
    report = json.loads((out / "recognition.json").read_text())
    assert report["complete"] is False
    assert set(report["protocols"]) == {"manifest"}
    assert "these are the results so far" in (out / "report.html").read_text()


def test_another_benchmark_in_the_same_folder_is_refused(
    overtone: Overtone, finished: Path, voices: Path, cache: Path
) -> None:
    words = ("--corpus", f"manifest={voices}", "--quick", "--folds", "2", "--out", finished, "--cache", cache)
    status, _, err = overtone("benchmark", "recognition", *words)
    assert status == 1
    assert "holds a run with another split or other settings" in err


def test_calibration_with_the_tests_speakers_is_refused_before_any_training(
    overtone: Overtone, voices: Path, tmp_path: Path
) -> None:
    words = ("--corpus", f"manifest={voices}", "--calibrate-on", f"manifest={voices}", "--quick", "--out", tmp_path)
    status, _, err = overtone("benchmark", "recognition", *words)
    assert status == 1
    assert "calibration refused: manifest, speaker spk01: calibration would be set with test speakers (spk01)" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--seeds", 2), "--seeds is 2, it must be at least 3"),
        (("--folds", "9"), "6 speakers are too few for 9 folds"),
        (("--folds", "emobox"), "EmoBox folds are known for ravdess only"),
        (("--folds", "emodb=3"), "--folds emodb=3: emodb is not one of manifest"),
        (("--settings", "all=a.toml", "--settings", "all=b.toml"), "--settings is given twice for all"),
        (("--settings", "emodb=a.toml"), "--settings emodb=a.toml: emodb is not one of manifest, all"),
        (("--folds", "3", "--folds", "2"), "--folds is given twice without a name"),
        (("--part", "noise"), "--part noise needs --sounds DIR"),
        (("--part", "speech"), "--part speech needs --speech DIR"),
        (("--sounds", "nowhere"), "nowhere: no such folder of sounds"),
        (("--speech", "nowhere"), "nowhere: no such folder of read speech"),
        (
            ("--limit-multiply-adds", 1000),
            "multiply-adds for 3 s of speech, limit is 1000; its layer stem takes most",
        ),
        (("--quick", "--limit-bytes", 1000), "bytes, limit is 1000; its layer stem takes most"),
        (("--limit-bytes", 0), "max_bytes is 0"),
        (("--settings", "nowhere.toml"), "nowhere.toml: No such file or directory"),
        (("--calibrate-on", "nonsense"), "--calibrate-on 'nonsense' is not of the form NAME=PATH"),
        (("--corpus", "mystery=here"), "unknown corpus 'mystery'; there are"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_training(
    overtone: Overtone, voices: Path, tmp_path: Path, words: tuple[object, ...], text: str
) -> None:
    out = tmp_path / "out"
    given = ("--corpus", f"manifest={voices}", "--out", out)
    status, _, err = overtone("benchmark", "recognition", *given, *words)
    assert status == 1
    assert text in err.splitlines()[-1]
    assert err.count("overtone:") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("with_speech", "text"),
    [
        (False, "neutral_speech is true, but no folder of read speech is given (--speech DIR)"),
        (True, "neutral_speech needs the label 'neutral'; the labels are happy, sad"),
    ],
)
def test_read_speech_that_settings_want_is_missed_before_any_training(
    overtone: Overtone, voices: Path, tmp_path: Path, with_speech: bool, text: str
) -> None:
    (tmp_path / "a.toml").write_text("neutral_speech = true")
    rows = ["path,label,speaker"]
    for label in ("happy", "sad"):  # of six speakers, none of them neutral
        rows += [f"{voices / 'none' / f'{label}{n}.wav'},{label},s{n}" for n in range(6)]
    (tmp_path / "few.csv").write_text("\n".join(rows))
    for speaker in range(8):
        shutil.copy(next(voices.rglob("*.wav")), tmp_path / f"{speaker}-1-0000.wav")
    speech = ("--speech", tmp_path) if with_speech else ()
    words = ("--corpus", f"manifest={tmp_path / 'few.csv'}", "--settings", tmp_path / "a.toml", *speech)
    status, _, err = overtone("benchmark", "recognition", *words, "--out", tmp_path / "out")
    assert status == 1
    assert text in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--sounds", "--speech"])
def test_broken_material_is_named_before_any_training(
    overtone: Overtone, voices: Path, sounds: Path, tmp_path: Path, option: str
) -> None:
    folder, out = tmp_path / "given", tmp_path / "out"
    shutil.copytree(sounds, folder)
    (folder / "broken.wav").write_bytes(b"no sound")
    words = ("--corpus", f"manifest={voices}", option, folder, "--quick", "--out", out)
    status, _, err = overtone("benchmark", "recognition", *words)
    assert status == 1
    assert "1 of 9 sounds cannot be decoded" in err
    assert "broken.wav" in err
    assert not out.exists()


def test_a_trial_is_one_with_any_settings(tmp_path: Path) -> None:
    file = tmp_path / "long.toml"
    file.write_text('size = "M"\nepochs = 500\nlearning_rate = 1e-4\n')
    settings = read_settings(file, TRIAL_SETTINGS)
    assert (settings.size, settings.epochs, settings.learning_rate) == ("S", 4, 1e-4)
    assert read_settings(file).epochs == 500


def test_corpora_with_too_few_speakers_leave_nothing_to_measure(
    overtone: Overtone, voices: Path, tmp_path: Path
) -> None:
    for label in ("sad", "angry"):
        for speaker in ("spk01", "spk02"):
            (tmp_path / "folders" / label / speaker).mkdir(parents=True)
            shutil.copy(voices / speaker / f"{label}_01.wav", tmp_path / "folders" / label / speaker)
    lines = (voices / "manifest.csv").read_text().splitlines()
    kept = [line for line in lines if line.startswith(("path", "spk01", "spk02"))]
    (tmp_path / "few.csv").write_text("\n".join(kept))
    given = ("--corpus", f"folders={tmp_path / 'folders'}", "--corpus", f"manifest={tmp_path / 'few.csv'}")
    status, _, err = overtone(
        "benchmark", "recognition", *given, "--protocol", "alone", "--quick", "--out", tmp_path / "out"
    )
    assert status == 1
    assert "nothing can be measured: folders, manifest have too few speakers" in err


def test_one_model_for_all_needs_several_corpora(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    words = ("--corpus", f"manifest={voices}", "--protocol", "joint", "--protocol", "cross", "--quick")
    status, _, err = overtone("benchmark", "recognition", *words, "--out", tmp_path)
    assert (status, "joint and cross need at least two corpora, here is manifest" in err) == (1, True)


def test_corpora_are_given_once(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    given = ("--corpus", f"manifest={voices}")
    status, _, err = overtone("benchmark", "recognition", *given, *given, "--out", tmp_path)
    assert (status, "manifest is given twice" in err) == (1, True)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_a_quick_benchmark_on_real_recordings(overtone: Overtone, speech_data: Path, tmp_path: Path) -> None:
    corpora = [word for name in ("ravdess", "emodb", "tess") for word in ("--corpus", f"{name}={speech_data / name}")]
    measure_inputs = ("--sounds", speech_data / "esc10", "--speech", speech_data / "librispeech")
    words = (*corpora, *measure_inputs, "--quick", "--out", tmp_path / "out", "--cache", tmp_path / "cache", "--json")
    status, out, err = overtone("benchmark", "recognition", *words)
    assert status == 0, err
    report = json.loads(out)
    assert set(report["corpora"]) == {"ravdess", "emodb"}
    assert "tess: 2 speakers are too few" in err
    for corpus in ("ravdess", "emodb"):
        figures = {row["figure"]: row for row in report["figures"] if row["corpus"] == corpus}
        assert len(figures) == 25
        assert figures["int8 gives float's label"]["mean"] >= 95
        assert figures["streaming ends with the whole utterance's decision"]["mean"] >= 95
        assert figures["UAR, unseen speakers"]["mean"] > 100 / 8
    joint = {row["corpus"]: row for row in report["joint"]}
    assert set(joint) == {"ravdess", "emodb", "tess"}
    assert joint["ravdess"]["corpus_not_heard"] is not None
    assert joint["ravdess"]["personal_gain_not_heard"] is not None
    assert len(joint["emodb"]["quiet"]) == len(joint["emodb"]["loud"]) == 1
    assert {row["figure"] for row in report["joint_details"]["figures"]} >= {*figures} - {
        "UAR, speakers shared (random split)"
    }
