"""Readers of EMOVO, the URDU-Dataset, ASED, TurEV-DB, BAVED and the Indian EmoSpeech Command Dataset."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from overtone_cloud.corpora import CORPORA, Reading, Utterance, read_corpus

Tree = Callable[..., Path]
EMPTY_HASH = "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"
USER_HASH = "c7b43119" + "0" * 48


def texts(reading: Reading, kind: str) -> list[str]:
    return [p.text for p in reading.problems if p.kind == kind]


def labels_of(reading: Reading) -> dict[str, str | None]:
    return {u.path.stem: u.label for u in reading.utterances}


def test_emovo_in_folders_of_speakers(tree: Tree) -> None:
    names = [f"EMOVO/{who}/{emotion}-{who}-b1.wav" for who in ("f1", "m3") for emotion in ("neu", "gio", "sor", "pau")]
    reading = read_corpus(tree([*names, "EMOVO/f1/GIO-F1-N5.WAV", "EMOVO/f1/gio-f4-b1.wav"]))
    assert reading.corpus == "emovo"
    assert reading.speakers == ("f1", "m3")
    assert Counter(u.label for u in reading.utterances) == {"neutral": 2, "happy": 3, "surprised": 2, "fearful": 2}
    (man,) = [u for u in reading.utterances if u.path.stem == "pau-m3-b1"]
    assert (man.gender, man.sentence, man.corpus_label) == ("male", "b1", "pau")
    assert texts(reading, "name") == ["1 file with a name this corpus does not have, skipped"]


def test_complete_emovo_has_no_problem(tmp_path: Path) -> None:
    sentences = [f"{kind}{n}" for kind, count in {"b": 3, "d": 2, "l": 4, "n": 5}.items() for n in range(1, count + 1)]
    for who in ("f1", "f2", "f3", "m1", "m2", "m3"):
        for emotion in CORPORA["emovo"].labels:
            for sentence in sentences:
                (tmp_path / f"{emotion}-{who}-{sentence}.wav").touch()
    reading = read_corpus(tmp_path)
    assert (len(reading.utterances), reading.problems) == (588, ())


def test_urdu_by_name_although_its_folders_are_called_like_emotions(tree: Tree) -> None:
    reading = read_corpus(
        tree(["Angry/SM1_F1_A01.wav", "Happy/SF11_F6_H044.wav", "Neutral/SM5_F72_N0100.wav", "Sad/SM6_F4_S0100.wav"])
    )
    assert reading.corpus == "urdu"
    assert [(u.speaker, u.gender, u.label) for u in reading.utterances] == [
        ("SM1", "male", "angry"),
        ("SF11", "female", "happy"),
        ("SM5", "male", "neutral"),
        ("SM6", "male", "sad"),
    ]
    assert "4 of the official 400 utterances" in texts(reading, "missing")
    assert len(CORPORA["urdu"].official.speakers) == 38
    # Happy and sad clips of one speaker are that speaker's, whatever folder they lie in.
    both = read_corpus(tree(["Happy/SM6_F1_H063.wav", "Sad/SM6_F1_S097.wav"], root="both"))
    assert both.speakers == ("SM6",)


def test_ased_with_its_mixed_case(tree: Tree) -> None:
    names = ["n1-01-01-01-07.wav", "f2-06-02-02-65.wav", "h3-03-01-02-50.wav", "S4-04-02-01-29.wav"]
    reading = read_corpus(tree([*names, "a5-03-01-02-50.wav", "a5-03-01-02-66.wav", "a4-03-01-02-50.wav"]))
    assert reading.corpus == "ased"
    assert labels_of(reading) == {
        "n1-01-01-01-07": "neutral",
        "f2-06-02-02-65": "fearful",
        "h3-03-01-02-50": "happy",
        "S4-04-02-01-29": "sad",
        "a5-03-01-02-50": "angry",
    }
    angry = next(u for u in reading.utterances if u.label == "angry")
    assert (angry.speaker, angry.gender, angry.sentence) == ("50", "male", "a03")
    assert texts(reading, "name") == ["2 files with a name this corpus does not have, skipped"]


@pytest.mark.parametrize("suffix", [False, True])
def test_turev_in_the_original_and_with_the_emotion_in_the_name(tree: Tree, suffix: bool) -> None:
    codes = {"Angry": "kz", "Calm": "sk", "Happy": "mt", "Sad": "hl"}
    names = [
        f"Sound Source/{folder}/1157_{code}_acik{f'_{folder.lower()}' * suffix}.wav" for folder, code in codes.items()
    ]
    reading = read_corpus(tree(names))
    assert reading.corpus == "turev"
    assert {u.corpus_label: u.label for u in reading.utterances} == {
        "angry": "angry",
        "calm": "neutral",
        "happy": "happy",
        "sad": "sad",
    }
    assert {(u.speaker, u.sentence) for u in reading.utterances} == {("1157", "acik")}


def test_baved_says_which_levels_are_no_class(tree: Tree) -> None:
    reading = read_corpus(tree(["0/0-m-21-0-1-105.wav", "0/100-f-6-0-0-0.wav", "3/100-f-6-3-2-2.wav"]))
    assert reading.corpus == "baved"
    assert [(u.corpus_label, u.label, u.intensity) for u in reading.utterances] == [
        ("neutral", "neutral", "neutral"),
        ("low", None, "low"),
        ("high", None, "high"),
    ]
    assert texts(reading, "label") == ["2 utterances without a label (high 1, low 1)"]
    assert [u.gender for u in reading.utterances] == ["male", "female", "female"]
    assert texts(reading, "missing") == ["3 of the official 1935 utterances"]


def test_indian_emospeech_with_unknown_users_and_background(tree: Tree) -> None:
    reading = read_corpus(
        tree(
            [
                f"House/bacho-safe-calm-20190709085906-{EMPTY_HASH}.wav",
                f"House/help-glass break-angry-1562907046662-{USER_HASH}.wav",
                f"House/unknown-gunshots-Fearful-1562907046663-{USER_HASH}.wav",
                f"House/go-safe-None-1562907046664-{USER_HASH}.wav",
                f"House/background-safe-None-20190701193438-{EMPTY_HASH}.wav",
                "bacho-happy-1562996360436-c7b43119.flac",
                "stop-angry-??-5e6d4c13.flac",
            ]
        )
    )
    assert reading.corpus == "indian-emospeech"
    assert sorted((str(u.label), u.speaker, u.text) for u in reading.utterances) == [
        ("None", "c7b43119", "go"),
        ("angry", "5e6d4c13", "stop"),
        ("angry", "c7b43119", "help"),
        ("fearful", "c7b43119", None),
        ("happy", "c7b43119", "bacho"),
        ("neutral", None, "bacho"),
    ]
    assert texts(reading, "note") == ["1 x background sound, skipped"]
    assert not texts(reading, "missing")


@pytest.mark.parametrize("name", ["emovo", "urdu", "ased", "turev", "baved", "indian-emospeech"])
def test_no_other_corpus_takes_their_names(name: str) -> None:
    files = {
        "emovo": "dis-f1-b1.wav",
        "urdu": "Angry/SM1_F1_A01.wav",
        "ased": "a5-03-01-02-50.wav",
        "turev": "1157_kz_acik.wav",
        "baved": "10-f-20-0-1-0.wav",
        "indian-emospeech": "no-calm-1563211445683-02fc4ae7.flac",
    }
    path = PurePosixPath(files[name])
    assert [other for other, corpus in CORPORA.items() if corpus.count_matches([path])] == [name]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "utterances", "speakers", "labels"),
    [("emovo", 588, 6, 7), ("ased", 837, 44, 5), ("turev", 352, 6, 4), ("indian-emospeech", 307, 105, 4)],
)
def test_real_recordings_say_what_their_manifests_say(
    speech_data: Path, name: str, utterances: int, speakers: int, labels: int
) -> None:
    if not (speech_data / name).is_dir():
        pytest.skip(f"no {name} in {speech_data}")
    reading, listed = read_corpus(speech_data / name, name), read_corpus(speech_data / name, "manifest")
    assert (len(reading.labelled), len(reading.speakers)) == (utterances, speakers)
    assert len({u.label for u in reading.utterances}) == labels
    assert {p.kind for p in reading.problems} <= {"missing"}
    assert {u.id: u.label for u in reading.labelled} == {u.id: u.label for u in listed.labelled}
    assert _groups(reading.utterances) == _groups(listed.utterances)


def _groups(utterances: tuple[Utterance, ...]) -> set[frozenset[str]]:
    """Return the utterances of each speaker, without the speakers' names, which copies may choose themselves."""
    by_speaker: dict[str | None, set[str]] = {}
    for utterance in utterances:
        by_speaker.setdefault(utterance.speaker, set()).add(utterance.id)
    return {frozenset(ids) for ids in by_speaker.values()}
