"""`overtone evaluate BUNDLE --corpus NAME=PATH`: bundles of every kind, as a device hears a labelled corpus."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import committed_bundles

from overtone_cloud.corpora import audio
from overtone_cloud.corpora.registry import read_corpus
from overtone_converters.device import Device
from overtone_converters.signing import make_keys, sign_bundle
from overtone_models import pretrained
from overtone_models.bundle import read_bundle

Overtone = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def medium(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle of a pretrained model `medium`, with random weights."""
    folder = tmp_path_factory.mktemp("pretrained")
    path = folder / "medium" / "medium.bundle"
    path.parent.mkdir()
    path.write_bytes(committed_bundles()["tiny-1"])
    monkeypatch.setattr(pretrained, "FOLDERS", (folder,))
    return path


def evaluated(overtone: Overtone, *words: object) -> dict[str, Any]:
    status, out, err = overtone("evaluate", *words, "--json")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def without_speakers(voices: Path, folder: Path, labels: tuple[str, ...] = ("neutral", "sad")) -> Path:
    """Copy two clips of each label of two speakers into folders called like the labels."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for speaker in ("spk01", "spk02"):
            for number in (1, 2):
                shutil.copy(voices / speaker / f"{label}_0{number}.wav", folder / label / f"{speaker}_{number}.wav")
    return folder


def test_a_pretrained_model_answers_as_the_device_does(overtone: Overtone, voices: Path, medium: Path) -> None:
    found = evaluated(overtone, "medium", "--corpus", f"manifest={voices}")
    assert (found["utterances"], found["skipped"]) == (72, [])
    assert found["classes"] == ["neutral", "sad", "angry"]
    assert set(found["answers_of_the_model_only"]) == {"happy"}
    assert set(found["per_speaker"]) == {f"spk0{n}" for n in range(1, 7)}
    device = Device(read_bundle(medium.read_bytes()))
    reading = read_corpus(voices)
    columns = found["confusion"]["columns"]
    expected = {label: [0] * len(columns) for label in found["classes"]}
    for utterance in reading.labelled:
        decision = device.listen(audio.load(utterance.path)).decision or "no decision"
        expected[str(utterance.label)][columns.index(decision)] += 1
    assert found["confusion"]["rows"] == expected


def test_the_tables_say_what_was_decided(overtone: Overtone, voices: Path) -> None:
    status, out, err = overtone("evaluate", "medium", "--corpus", voices)
    assert status == 0, err
    for text in (
        "tiny on manifest, as a device hears it",
        'UAR, "no decision" counted as wrong',
        "right of what was decided",
        "chance (3 classes)",
        "spk06",
        "What was decided",
        "neutral is taken for:",
    ):
        assert text in out
    assert "classes that manifest does not have; answers with them are wrong: happy" in err


def test_a_signed_file_and_its_root(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    root = make_keys(tmp_path / "keys")
    path = tmp_path / "signed.bundle"
    path.write_bytes(sign_bundle(committed_bundles()["tiny-2"], name="tiny", version=2, keys=tmp_path / "keys"))
    words = (path, "--root", root, "--corpus", f"manifest={voices}", "--limit", 2)
    found = evaluated(overtone, *words)
    assert (found["bundle"]["version"], found["utterances"]) == (2, 6)
    assert {part["utterances"] for part in found["per_class"].values()} == {2}
    other = make_keys(tmp_path / "other")
    status, _, err = overtone("evaluate", path, "--root", other, "--corpus", f"manifest={voices}")
    assert (status, err.count("\n")) == (1, 1)


def test_a_window_network(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    path = tmp_path / "lstm.bundle"
    path.write_bytes(committed_bundles()["lstm"])
    found = evaluated(overtone, path, "--corpus", f"manifest={voices}", "--limit", 3)
    assert found["utterances"] == 9
    assert sum(found["answers"].values()) == 9


def test_a_corpus_without_speakers_is_fine(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    folder = without_speakers(voices, tmp_path / "nameless")
    found = evaluated(overtone, "medium", "--corpus", f"folders={folder}")
    assert (found["utterances"], found["per_speaker"]) == (8, {})
    status, out, err = overtone("evaluate", "medium", "--corpus", f"folders={folder}")
    assert (status, "speaker" in out) == (0, False)
    assert "folders names no speakers: no figures by speaker" in err


def test_what_cannot_be_read_is_skipped_and_counted(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    folder = without_speakers(voices, tmp_path / "some")
    (folder / "sad" / "spk01_1.wav").write_bytes(b"RIFF, but no sound")
    (folder / "sad" / "silent.wav").write_bytes((folder / "neutral" / "spk01_1.wav").read_bytes()[:44])
    status, out, err = overtone("evaluate", "medium", "--corpus", f"folders={folder}", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["utterances"] + len(found["skipped"]) == 9
    assert "sad/spk01_1.wav" in found["skipped"]
    assert f"{len(found['skipped'])} utterances skipped, unreadable: sad/" in err
    for path in (folder / "sad").iterdir():
        path.write_bytes(b"no sound")
    status, _, err = overtone("evaluate", "medium", "--corpus", f"folders={folder}")
    assert status == 1
    assert "5 of 9 recordings cannot be read, too few classes are left" in err


def test_classes_that_only_one_side_has_are_named(overtone: Overtone, voices: Path, tmp_path: Path) -> None:
    folder = without_speakers(voices, tmp_path / "more")
    shutil.copytree(folder / "sad", folder / "bored")
    status, out, err = overtone("evaluate", "medium", "--corpus", f"folders={folder}", "--json")
    assert status == 0
    assert json.loads(out)["classes_of_the_corpus_only"] == {"bored": 4}
    assert json.loads(out)["utterances"] == 8
    assert "not counted, as tiny does not have these classes: bored 4" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("medium", "--corpus", "folders={one}"), "has one class, sad: a UAR needs at least 2"),
        (("medium", "--corpus", "folders={none}"), "have no class in common"),
        (("medium", "--corpus", "moon={one}"), "unknown corpus 'moon'"),
        (("medium", "--corpus", "folders=nowhere"), "nowhere: no such folder or manifest"),
        (("medium", "--corpus", "nowhere"), "nowhere: no such folder or manifest"),
        (("medium",), "--corpus is given 0 times, a bundle is measured on one labelled corpus"),
        (("medium", "--corpus", "{one}", "--corpus", "{one}"), "--corpus is given 2 times"),
        (("medium", "--corpus", "{one}", "--part", "noise"), "medium is a bundle: --part has no meaning there"),
        (("medium", "--corpus", "{one}", "--limit", "0"), "--limit is 0, it must be at least 1"),
        (("large", "--corpus", "{one}"), "large is no run folder and no bundle, and there is no pretrained model"),
        (("nowhere/x.bundle", "--corpus", "{one}"), "cannot read nowhere/x.bundle: No such file"),
        (("{text}", "--corpus", "{one}"), "text.bundle"),
        (("{folder}", "--limit", "3"), "is no bundle: --limit has no meaning there"),
    ],
)
def test_bad_input_is_one_line(
    overtone: Overtone, voices: Path, tmp_path: Path, words: tuple[str, ...], text: str
) -> None:
    one = without_speakers(voices, tmp_path / "one", ("sad",))
    none = without_speakers(voices, tmp_path / "none")
    (none / "sad").rename(none / "bored")
    (none / "neutral").rename(none / "calm")
    (tmp_path / "text.bundle").write_text("no bundle")
    places = {"one": one, "none": none, "text": tmp_path / "text.bundle", "folder": tmp_path}
    status, out, err = overtone("evaluate", *(word.format(**places) for word in words))
    assert (status, out, err.count("\n")) == (1, "", 1), err
    assert text in err
