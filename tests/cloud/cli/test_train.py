"""`overtone train`, end to end on synthetic voices."""

import argparse
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.cli import train as train_cli
from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.splits import Split, hold_out, make_split
from overtone_cloud.errors import ConfigError
from overtone_cloud.training.run_folder import RunFolder

Overtone = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(overtone: Overtone, voices: Path, cache: Path, quick: Path, tmp_path: Path) -> Overtone:
    """Return a function that trains on the voices; more words come after the usual ones."""

    def call(*words: object, out: Path | None = None, test: str = "spk05,spk06") -> tuple[int, str, str]:
        split = ("--test-speakers", test) if test else ()
        where = ("--out", out or tmp_path / "run", "--cache", cache, "--config", quick)
        return overtone("train", voices, *where, *split, *words)

    return call


def test_a_run_folder_holds_everything(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {
        "checkpoint.npz",
        "config.json",
        "confusion.png",
        "curves.png",
        "history.json",
        "metrics.json",
        "model.json",
        "split.json",
        "weights.safetensors",
    }
    for picture in ("curves.png", "confusion.png"):
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")
    config = json.loads((trained / "config.json").read_text())
    assert config["settings"]["epochs"] == 6
    assert config["settings"]["augmentation"]["noise_probability"] == 0.25
    history = json.loads((trained / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4, 5, 6]
    assert [entry["epoch"] for entry in history if "inner_uar" in entry] == [2, 4, 6]


def test_metrics_begin_with_the_uar_and_say_which_split(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["utterances"] == 24
    assert set(metrics["per_speaker_uar"]) == {"spk05", "spk06"}
    assert metrics["speakers_shared"] is False
    assert "by speaker, named test speakers" in metrics["split"]
    recalls = [row["recall"] for row in metrics["per_class"].values()]
    assert metrics["uar"] == pytest.approx(np.mean(recalls), abs=2e-4)
    assert metrics["accuracy"] == pytest.approx(np.trace(metrics["confusion"]) / 24, abs=1e-4)
    assert metrics["multiply_adds_3_s"] > 0
    assert metrics["skipped"] == []


def test_the_model_knows_where_it_comes_from(trained: Path, voices: Path) -> None:
    model = RunFolder(trained).load_model()
    assert model.labels == ("neutral", "sad", "angry")
    assert model.lineage["training_data_digest"] == read_corpus(voices).digest
    assert model.lineage["seed"] == "0"
    assert 0.05 <= model.calibration.temperature <= 20


def test_train_prints_tables(train: Overtone) -> None:
    status, out, err = train("--epochs", 2)
    assert status == 0
    for text in ("UAR", "accuracy", "macro F1", "calibration error", "spk05", "angry", "over 1 seed(s)", "run folder"):
        assert text in out
    assert "Traceback" not in err


def test_same_seed_same_weights_other_seed_others(train: Overtone, trained: Path, tmp_path: Path) -> None:
    assert train(out=tmp_path / "again")[0] == 0
    assert train("--seed", 1, out=tmp_path / "other")[0] == 0
    first, again, other = (RunFolder(path).load_model() for path in (trained, tmp_path / "again", tmp_path / "other"))
    np.testing.assert_array_equal(again.weights, first.weights)
    assert again.calibration == first.calibration
    assert np.abs(other.weights - first.weights).max() > 1e-2


@pytest.mark.parametrize("after", [3, 4])
def test_an_interrupted_run_goes_on_to_the_same_result(
    train: Overtone, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    from overtone_cloud.training.trainer import Trainer

    epoch = Trainer._run_epoch

    def interrupted(self: Any) -> float:
        if self.epoch == after:
            raise KeyboardInterrupt
        return epoch(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_run_epoch", interrupted)
        status, _, err = train()
    run = tmp_path / "run"
    assert status == 130
    assert "interrupted" in err
    assert not (run / "weights.safetensors").exists()
    epochs: list[int] = []

    def counted(self: Any) -> float:
        epochs.append(self.epoch)
        return epoch(self)

    monkeypatch.setattr(Trainer, "_run_epoch", counted)
    assert train()[0] == 0
    assert epochs == list(range(after // 2 * 2, 6))
    assert (run / "history.json").read_text() == (trained / "history.json").read_text()
    np.testing.assert_array_equal(RunFolder(run).load_model().weights, RunFolder(trained).load_model().weights)


def test_a_finished_run_is_not_trained_again(train: Overtone, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    weights = (run / "weights.safetensors").read_bytes()
    assert train()[0] == 0
    assert (run / "weights.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("words", "test"),
    [(("--seed", 1), "spk05,spk06"), (("--epochs", 7), "spk05,spk06"), ((), "spk01,spk02"), (("--fold", 1), "")],
    ids=["seed", "epochs", "test speakers", "split"],
)
def test_a_folder_of_another_run_is_refused(
    train: Overtone, trained: Path, tmp_path: Path, words: tuple[object, ...], test: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    kept = {path.name: path.read_bytes() for path in run.iterdir()}
    status, _, err = train(*words, test=test)
    assert status == 1
    assert "holds a run with another split or other settings" in err
    assert {path.name: path.read_bytes() for path in run.iterdir()} == kept


def test_a_broken_checkpoint_is_named(train: Overtone, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    data = (run / "checkpoint.npz").read_bytes()
    for broken in (data[: len(data) // 2], b"", b"nonsense"):
        (run / "checkpoint.npz").write_bytes(broken)
        status, _, err = train()
        assert status == 1
        assert "checkpoint.npz is broken" in err
        assert err.count("\n") <= 8


def test_several_seeds_give_mean_and_deviation(train: Overtone, tmp_path: Path) -> None:
    status, out, _ = train("--epochs", 2, "--seeds", 2, "--json")
    assert status == 0
    summary = json.loads(out)
    assert summary["seeds"] == 2
    assert summary["uar_mean"] == pytest.approx(np.mean(summary["uar"]), abs=1e-4)
    assert summary["uar_sd"] == pytest.approx(np.std(summary["uar"], ddof=1), abs=1e-4)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == summary
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"seed0", "seed1", "summary.json"}


def test_a_random_split_says_that_speakers_are_shared(train: Overtone, overtone: Overtone, tmp_path: Path) -> None:
    status, out, _ = train("--epochs", 2, "--kind", "random", "--fold", 2, test="")
    assert status == 0
    assert "speakers shared" in out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["speakers_shared"] is True
    assert "speakers shared" in metrics["split"]
    assert "speakers shared" in RunFolder(tmp_path / "run").load_model().lineage["split"]


def test_a_kept_split_is_used(train: Overtone, voices: Path, tmp_path: Path) -> None:
    split = make_split(read_corpus(voices).utterances, "speaker", folds=3, seed=5)
    split.save(tmp_path / "split.json")
    status, _, err = train("--split", tmp_path / "split.json", test="")
    assert status == 1
    assert "the split has 3 folds: choose one of fold 1, fold 2, fold 3" in err
    status, out, _ = train("--split", tmp_path / "split.json", "--fold", "fold 2", "--epochs", 2, "--json", test="")
    assert status == 0
    assert json.loads(out)["fold"] == "fold 2"
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    speakers = {i.split("/")[0] for i in split.folds[1].test}
    assert set(metrics["per_speaker_uar"]) == speakers


def test_a_split_of_another_corpus_is_refused(train: Overtone, voices: Path, tmp_path: Path) -> None:
    utterances = [u for u in read_corpus(voices).utterances if u.speaker != "spk06"]
    hold_out(utterances, ["spk01"]).save(tmp_path / "split.json")
    status, _, err = train("--split", tmp_path / "split.json", test="")
    assert status == 1
    assert "split was made for another state of the corpus" in err
    (tmp_path / "split.json").write_text("{}")
    status, _, err = train("--split", tmp_path / "split.json", test="", out=tmp_path / "other")
    assert status == 1
    assert "split.json: not a split" in err


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("epochs = ", "bad.toml: not TOML"),
        ("epoch = 5", "unknown key 'epoch'; did you mean 'epochs'?"),
        ("epochs = 2.5", "epochs must be a whole number, got 2.5"),
        ('epochs = "5 minutes"', "epochs must be a whole number, got '5 minutes'"),
        ("learning_rate = true", "learning_rate must be a number, got True"),
        ("learning_rate = 5", "learning_rate is 5.0, limit is 1e-06..1"),
        ("learning_rate = nan", "learning_rate is nan"),
        ("max_frames = 325", "max_frames is 325, it must be a multiple of 8"),
        ('size = "XL"', "size is 'XL', it must be S, M or L"),
        ("patience_epochs = 1", "patience_epochs is 1, limit is evaluate_every_epochs = 5"),
        ("augmentation = 3", "[augmentation] must be a section, got 3"),
        ("[augmentation]\nnoise = 1.0", "[augmentation] unknown key 'noise'"),
        ("[augmentation]\nnoise_probability = 1.5", "noise_probability is 1.5, limit is 0..1"),
    ],
)
def test_bad_settings(train: Overtone, tmp_path: Path, toml: str, text: str) -> None:
    (tmp_path / "bad.toml").write_text(toml)
    status, out, err = train("--config", tmp_path / "bad.toml")
    assert status == 1
    assert text in err
    assert err.count("\n") == 1
    assert (out, (tmp_path / "run").exists()) == ("", False)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--config", "nowhere.toml"), "nowhere.toml: No such file or directory"),
        (("--epochs", 0), "epochs is 0"),
        (("--seeds", 0), "--seeds is 0, it must be at least 1"),
        (("--fold", "9"), "no fold '9'"),
        (("--test-speakers", "nobody"), "unknown speaker 'nobody'"),
        (("--corpus-name", "ravdess"), "no utterance of RAVDESS"),
    ],
)
def test_bad_arguments(train: Overtone, tmp_path: Path, words: tuple[object, ...], text: str) -> None:
    status, _, err = train(*words)
    assert status == 1
    assert text in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def split_of(*words: object) -> Split:
    """Return the split that a command line of `train` asks for, without training."""
    parser = argparse.ArgumentParser()
    train_cli.register(parser.add_subparsers())
    return train_cli._split(parser.parse_args(["train", "--out", "out", *map(str, words)]))


def test_who_is_tested_does_not_hang_on_the_seed(voices: Path) -> None:
    first = split_of(voices, "--folds", 3)
    assert split_of(voices, "--folds", 3, "--seed", 5) == first
    assert split_of(voices, "--folds", 3, "--split-seed", 5).folds != first.folds
    assert first == make_split(read_corpus(voices).utterances, "speaker", folds=3)


def test_test_speakers_may_be_listed_with_spaces(voices: Path) -> None:
    assert split_of(voices, "--test-speakers", " spk01, spk02,") == split_of(voices, "--test-speakers", "spk01,spk02")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--split", "a.json", "--test-speakers", "spk01"), "--split a.json says who is tested, --test-speakers too"),
        (("--split", "a.json", "--kind", "speaker", "--folds", 5), "says who is tested, --kind, --folds too"),
        (("--split", "a.json", "--split-seed", 0), "says who is tested, --split-seed too"),
        (("--kind", "random", "--test-speakers", "spk01"), "--test-speakers holds speakers out, --kind random"),
    ],
)
def test_options_that_contradict_each_other(voices: Path, words: tuple[object, ...], text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        split_of(voices, *words)


def test_missing_or_empty_corpora(overtone: Overtone, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        status, _, err = overtone("train", tmp_path / name, "--out", tmp_path / "run")
        assert status == 1
        assert name in err
        assert not (tmp_path / "run").exists()


def test_unreadable_clips_are_named_and_skipped(overtone: Overtone, voices: Path, quick: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(voices, corpus)
    broken, silent = corpus / "spk01" / "sad_01.wav", corpus / "spk06" / "sad_01.wav"
    broken.write_bytes(broken.read_bytes()[:30])
    silent.write_bytes(silent.read_bytes()[:44] + bytes(silent.stat().st_size - 44))
    words = ("--out", tmp_path / "run", "--config", quick, "--epochs", 2, "--cache", tmp_path / "cache")
    status, _, err = overtone("train", corpus, *words, "--test-speakers", "spk05,spk06")
    assert status == 0
    assert "2 utterances skipped" in err
    assert "spk01/sad_01.wav, spk06/sad_01.wav" in err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["skipped"] == ["spk01/sad_01.wav", "spk06/sad_01.wav"]
    assert metrics["utterances"] == 23


def test_output_that_cannot_be_written(train: Overtone, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = train(out=tmp_path / "file")
    assert status == 1
    assert "cannot be written" in err
