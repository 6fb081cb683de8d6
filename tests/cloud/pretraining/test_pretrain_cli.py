"""`overtone pretrain`: from corpora to a folder that the software can ship, once, and the same again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.cli.train import TrainSettings
from overtone_cloud.corpora.split_file import load_split
from overtone_cloud.pretraining.card import card
from overtone_models import pretrained
from overtone_models.bundle import read_bundle
from overtone_models.digests import digest_bytes
from overtone_models.pretrained import PretrainedModel

Overtone = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bundle_of(made: Path) -> PretrainedModel:
    return PretrainedModel(made)


def test_the_folder_holds_everything_and_nothing_of_this_machine(made: Path, voices: Path) -> None:
    assert {path.name for path in made.iterdir()} == {
        "tiny.bundle",
        "MODEL_CARD.md",
        "card.json",
        "split.json",
        "settings.toml",
    }
    texts = [path.read_text() for path in made.iterdir() if path.suffix != ".bundle"]
    assert not any(str(voices.parents[1]) in text for text in texts)


def test_the_model_has_the_classes_that_all_corpora_have(bundle_of: PretrainedModel) -> None:
    manifest = read_bundle(bundle_of.bundle.read_bytes()).manifest
    assert manifest.labels == ("sad", "angry")
    assert (manifest.name, manifest.version) == ("tiny", 1)
    assert manifest.lineage["training_data"] == "folders, manifest"
    assert manifest.licence.startswith("on the terms of the recordings it was trained on: as the training data")


def test_all_speakers_train_but_those_who_choose(bundle_of: PretrainedModel) -> None:
    fold = load_split(bundle_of.split).folds[0]
    facts = json.loads(bundle_of.card_data.read_text())
    chosen = set(facts["training"]["inner_speakers"])
    by_corpus = {"manifest": "manifest/{}/", "folders": "folders/"}
    assert chosen and all(speaker.split("/")[0] in by_corpus for speaker in chosen)
    everyone = {f"manifest/spk0{n}" for n in range(1, 7)} | {"folders/spk01", "folders/spk02"}
    assert chosen < everyone
    assert len(fold.train) + len(fold.test) == 6 * 2 * 4 + 2 * 2 * 4
    assert len(fold.test) == 2 * 4 * len(chosen)
    assert all(not name.endswith(".wav") for name in (*fold.train, *fold.test))


def test_the_card_follows_from_the_facts_and_names_every_command(bundle_of: PretrainedModel) -> None:
    facts = json.loads(bundle_of.card_data.read_text())
    text = bundle_of.card.read_text()
    assert text == card(facts)
    assert facts["bundle"]["sha256"] == digest_bytes(bundle_of.bundle.read_bytes())
    for needed in (
        "overtone pretrain --corpus folders=path/to/folders --corpus manifest=path/to/manifest",
        "overtone benchmark recognition --corpus manifest=path/to/manifest --corpus folders=path/to/folders",
        "overtone verify tiny --corpus",
        "prohibited in the EU",
        "Article 5(1)(f)",
        "neutral (24)",
        "seed 5",
        "who trained nothing: epoch",
        "of inner speakers choose when to stop",
        "| folders/spk01 | not told | ",
        "folders+manifest, by speaker, 1 fold, ",
        "### By gender",
        "## Failure cases",
        "Deciding less often",
        "a figure of it on these corpora would be of speakers that it was trained on",
    ):
        assert needed in text, needed
    assert "uar_" not in json.dumps(facts["parity"])


def test_the_settings_file_names_every_value(bundle_of: PretrainedModel, settings: Path) -> None:
    import tomllib

    found = TrainSettings.from_json(tomllib.loads(bundle_of.settings.read_text()))
    assert found == TrainSettings.from_json(json.loads(settings.read_text()))


def test_the_same_command_trains_nothing_twice_and_gives_the_same(
    overtone: Overtone, order: list[str], made: Path, figures: Path, tmp_path: Path
) -> None:
    status, out, err = overtone(*order, "--name", "tiny", "--figures", figures, "--out", tmp_path)
    assert status == 0
    assert "epoch" not in err
    assert "no figures yet" not in out
    for name in ("MODEL_CARD.md", "card.json", "split.json", "settings.toml", "tiny.bundle"):
        assert (tmp_path / "tiny" / name).read_bytes() == (made / name).read_bytes(), name


def test_an_interrupted_training_goes_on(
    overtone: Overtone, order: list[str], made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overtone_cloud.pretraining import training

    words = [
        tmp_path / "work" if before == "--work" else word for before, word in zip(["", *order], order, strict=False)
    ]

    original = training._train

    def stopping(order: object, folder: object, features: object, labels: object, report: Callable) -> None:
        def stop(entry: dict[str, float]) -> None:
            if entry["epoch"] == 2:
                raise KeyboardInterrupt
            report(entry)

        original(order, folder, features, labels, stop)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_train", stopping)
        status, _, err = overtone(*words, "--name", "tiny", "--out", tmp_path / "out")
    assert status == 130
    assert "the same command resumes there" in err
    assert not (tmp_path / "out").exists()
    status, out, err = overtone(*words, "--name", "tiny", "--out", tmp_path / "out")
    assert status == 0
    assert "epoch 1 of" not in err
    assert "epoch 3 of" in err
    assert "no figures yet" in out
    first, again = (read_bundle((f / "tiny.bundle").read_bytes()) for f in (made, tmp_path / "out" / "tiny"))
    np.testing.assert_allclose(first.weights, again.weights, atol=1e-6)
    assert "None yet" in (tmp_path / "out" / "tiny" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--name", "../up"), "--name is '../up'"),
        (("--name", "x", "--version", 0), "--version is 0, limit is 1..2147483647"),
        (("--name", "x", "--figures", "nowhere.json"), "nowhere.json cannot be read"),
        (("--name", "x", "--corpus", "ravdess=nowhere"), "nowhere: no such folder"),
        (("--name", "x", "--corpus", "manifest=nowhere"), "--corpus manifest=nowhere: manifest is given twice"),
        (("--name", "x", "--settings", "nowhere.toml"), "nowhere.toml: No such file or directory"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_training(
    overtone: Overtone, order: list[str], tmp_path: Path, words: tuple[object, ...], text: str
) -> None:
    status, _, err = overtone(*order, *words, "--out", tmp_path / "out")
    assert (status, err.count("\n")) == (1, 1), err
    assert text in err
    assert not (tmp_path / "out").exists()


def test_another_training_in_the_same_folder_is_refused(
    overtone: Overtone, order: list[str], made: Path, quick: Path, tmp_path: Path
) -> None:
    status, _, err = overtone(*order, "--settings", quick, "--name", "x", "--out", tmp_path / "out")
    assert status == 1
    assert "holds a training of other corpora, sounds, read speech or settings; choose another --work" in err


def test_a_network_over_the_limits_is_refused(overtone: Overtone, order: list[str], tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_text('size = "L"\n')
    words = ("--settings", tmp_path / "large.toml", "--work", tmp_path / "work", "--name", "x")
    status, _, err = overtone(*order, *words, "--out", tmp_path / "out")
    assert status == 1
    assert "multiply-adds for 3 s of speech, limit is 10000000" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"quick": True}, "is of a quick benchmark"),
        ({"complete": False}, "is of an unfinished benchmark"),
        ({"settings": {"all": {"size": "M"}}}, "is of other settings: size is 'M' there, 'S' here"),
        ({"joint_details": None}, "no figures of one model for all corpora"),
        ({"format": "other"}, "is no report of `overtone benchmark recognition`"),
        ({"joint": []}, "the model of folders, manifest"),
    ],
)
def test_figures_of_something_else_are_refused(
    overtone: Overtone, order: list[str], figures: Path, tmp_path: Path, change: dict, text: str
) -> None:
    other = tmp_path / "recognition.json"
    other.write_text(json.dumps({**json.loads(figures.read_text()), **change}))
    status, _, err = overtone(*order, "--name", "x", "--figures", other, "--out", tmp_path / "out")
    assert (status, err.count("\n")) == (1, 1)
    assert text in err


def test_verify_by_name_with_and_without_recordings(
    overtone: Overtone, made: Path, corpora: tuple[str, ...], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "FOLDERS", (made.parent,))
    status, out, err = overtone("verify", "tiny", "--json")
    assert status == 0, err
    alone = json.loads(out)
    assert alone["synthetic_utterances"] == 8
    assert alone["probability_difference"] <= 0.05
    status, out, err = overtone("verify", "tiny", *corpora, "--cache", cache, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["utterances"] == json.loads((made / "card.json").read_text())["parity"]["utterances"]
    assert found["label_agreement"] >= 0.98
    assert not any(name.startswith("uar") for name in found)


def test_verify_refuses_what_is_not_the_cards_and_other_corpora(
    overtone: Overtone, made: Path, corpora: tuple[str, ...], cache: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "tiny"
    shutil.copytree(made, copy)
    facts = json.loads((copy / "card.json").read_text())
    status, _, err = overtone("verify", copy / "tiny.bundle", *corpora[:2], "--cache", cache)
    assert (status, err.count("\n")) == (1, 1)
    assert "overtone: " in err
    facts["bundle"]["sha256"] = "0" * 64
    (copy / "card.json").write_text(json.dumps(facts))
    status, _, err = overtone("verify", copy / "tiny.bundle")
    assert (status, err.count("\n")) == (1, 1)
    assert "the card beside it is of 000000000000" in err


def test_verify_without_recordings_refuses_other_weights(overtone: Overtone, made: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    bundle = read_bundle((made / "tiny.bundle").read_bytes())
    weights = np.random.default_rng(0).permutation(bundle.weights)
    path = tmp_path / "wrong.bundle"
    path.write_bytes(replace(bundle, weights=weights).to_bytes())
    status, out, err = overtone("verify", path)
    assert status == 1
    assert "bundle refused: probability difference" in err
    assert "golden difference" in out
