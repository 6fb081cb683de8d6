"""Every corpus reader, in the folder layouts in use: the fields of names, and the problems reported."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_cloud.corpora import CORPORA, Reading, Utterance, read_corpus
from overtone_cloud.errors import CorpusError

Tree = Callable[..., Path]


def one(reading: Reading, name: str) -> Utterance:
    """Return the utterance whose file is called `name`."""
    (found,) = [u for u in reading.utterances if u.path.name == name]
    return found


def texts(reading: Reading, kind: str) -> list[str]:
    return [p.text for p in reading.problems if p.kind == kind]


RAVDESS = ["03-01-01-01-01-01-01.wav", "03-01-06-02-02-01-12.WAV", "03-01-02-01-01-02-24.flac"]


@pytest.mark.parametrize(
    "prefix",
    ["", "Actor/", "audio_speech_actors_01-24/Actor_01/", "a/b/c/"],
)
def test_ravdess_wherever_the_files_lie(tree: Tree, prefix: str) -> None:
    root = tree([prefix + name for name in RAVDESS])
    reading = read_corpus(root)
    assert reading.corpus == "ravdess"
    assert reading.speakers == ("01", "12", "24")
    fearful = one(reading, "03-01-06-02-02-01-12.WAV")
    assert fearful == Utterance(
        id=prefix + "03-01-06-02-02-01-12.WAV",
        path=root / prefix / "03-01-06-02-02-01-12.WAV",
        corpus="ravdess",
        corpus_label="06",
        label="fearful",
        speaker="12",
        gender="female",
        sentence="02",
        intensity="strong",
        text="Dogs are sitting by the door",
    )
    assert one(reading, "03-01-02-01-01-02-24.flac").label == "calm"
    assert "3 of the official 1440 utterances" in texts(reading, "missing")


def test_ravdess_nested_copy_songs_and_strangers(tree: Tree) -> None:
    names = [f"Actor_01/{name}" for name in RAVDESS] + [f"audio_speech_actors_01-24/Actor_01/{n}" for n in RAVDESS]
    root = tree([*names, "Actor_01/03-02-01-01-01-01-01.wav", "Actor_01/01-01-01-01-01-01-01.wav"])
    tree(["Actor_01/noise.wav", "Actor_01/03-01-09-01-01-01-01.wav", "Actor_01/._03-01-01-01-01-01-01.wav"])
    reading = read_corpus(root)
    assert sorted(u.id for u in reading.utterances) == sorted(f"Actor_01/{name}" for name in RAVDESS)
    assert texts(reading, "duplicate") == ["3 files with the name of an utterance already found, skipped"]
    assert texts(reading, "note") == ["1 x song, skipped", "1 x sound of a video clip, skipped"]
    (strangers,) = [p for p in reading.problems if p.kind == "name"]
    assert strangers.names == ("Actor_01/03-01-09-01-01-01-01.wav", "Actor_01/noise.wav")
    assert "2 files" in strangers.text


def test_complete_ravdess_has_no_problem(tmp_path: Path) -> None:
    for actor in range(1, 25):
        folder = tmp_path / f"Actor_{actor:02}"
        folder.mkdir()
        for emotion in range(1, 9):
            for intensity in (1,) if emotion == 1 else (1, 2):
                for take in ("01-01", "01-02", "02-01", "02-02"):
                    (folder / f"03-01-{emotion:02}-{intensity:02}-{take}-{actor:02}.wav").touch()
    reading = read_corpus(tmp_path)
    assert len(reading.utterances) == 1440
    assert reading.problems == ()
    (tmp_path / "Actor_05" / "03-01-05-01-01-01-05.wav").unlink()
    assert texts(read_corpus(tmp_path), "missing") == [
        "1439 of the official 1440 utterances",
        "speaker 05: 59 of 60 utterances",
        "by label: 05 191 of 192",
    ]


def test_tess_with_its_mixed_case_and_prefixes(tree: Tree) -> None:
    reading = read_corpus(
        tree(
            [
                "OAF_Fear/OAF_food_fear.wav",
                "YAF_fear/YAF_neat_fear.wav",
                "OAF_neutral/OA_bite_neutral.wav",
                "OAF_Pleasant_surprise/OAF_gin_ps.wav",
                "TESS/YAF_happy/yaf_LOVE_happy.wav",
            ]
        )
    )
    assert reading.corpus == "tess"
    assert Counter(u.speaker for u in reading.utterances) == {"OAF": 3, "YAF": 2}
    assert one(reading, "OAF_gin_ps.wav").label == "surprised"
    assert one(reading, "OA_bite_neutral.wav").sentence == "bite"
    assert one(reading, "yaf_LOVE_happy.wav").text == "Say the word love"
    assert not texts(reading, "name")


@pytest.mark.parametrize("names", [["DC_sa01.wav", "KL_n30.wav"], ["AudioData/DC/sa01.wav", "AudioData/KL/n30.wav"]])
def test_savee_flat_and_in_folders(tree: Tree, names: list[str]) -> None:
    reading = read_corpus(tree(names))
    assert reading.corpus == "savee"
    assert [(u.speaker, u.label, u.sentence) for u in reading.utterances] == [
        ("DC", "sad", "sa01"),
        ("KL", "neutral", "n30"),
    ]


def test_crema_d_with_and_without_demographics(tree: Tree) -> None:
    root = tree(["AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_SAD_HI.wav", "AudioWAV/1040_ITH_SAD_X.wav"])
    assert read_corpus(root).utterances[0].gender is None
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","x","y"\n1002,21,"Female","x","y"\n'
    )
    for path in (root, root / "AudioWAV"):
        reading = read_corpus(path)
        assert reading.corpus == "crema-d"
        assert [(u.speaker, u.label, u.gender, u.intensity) for u in reading.utterances] == [
            ("1001", "angry", "male", None),
            ("1002", "sad", "female", "high"),
            ("1040", "sad", None, None),
        ]
    assert one(reading, "1001_DFA_ANG_XX.wav").text == "Don't forget a jacket."


def test_emodb(tree: Tree) -> None:
    root = tree(["wav/03a01Fa.wav", "wav/16b10Lb.wav", "wav/08a02Wc.ogg", "wav/99a01Fa.wav"])
    (root / "erkennung.txt").write_bytes("Nr.\tSatz\terkannt\tnat\xfcrlich\n".encode("latin-1"))
    reading = read_corpus(root)
    assert reading.corpus == "emodb"
    assert [(u.speaker, u.gender, u.sentence, u.label) for u in reading.utterances] == [
        ("03", "male", "a01", "happy"),
        ("08", "female", "a02", "angry"),
        ("16", "female", "b10", "bored"),
    ]
    assert texts(reading, "name") == ["1 file with a name this corpus does not have, skipped"]


def test_nemo_with_its_table(tree: Tree) -> None:
    root = tree(["samples/WR0_surprised_64.wav", "samples/EB0_neutral_13.wav"])
    assert "no data.tsv: gender and text are unknown" in texts(read_corpus(root), "note")
    (root / "data.tsv").write_text(
        "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
        "WR0_surprised_64.wav\tsurprised\tUcho wykrywa „dźwięki.\tucho\t        WR0\tmale\t23\n"
        "EB0_neutral_13.wav\tneutral\tInteresuje mnie historia.\tx\t        EB0\tfemale\t27\n"
        "KS0_fear_9.wav\tfear\tPiłka nożna to moja pasja.\tx\t        KS0\tmale\t23\n",
        encoding="utf-8",
    )
    for path in (root, root / "samples"):
        reading = read_corpus(path)
        assert reading.corpus == "nemo"
        ear = one(reading, "WR0_surprised_64.wav")
        assert (ear.speaker, ear.label, ear.sentence, ear.gender) == ("WR0", "surprised", "64", "male")
        assert ear.text == "Ucho wykrywa „dźwięki."
        assert "1 recordings of data.tsv are not there" in texts(reading, "missing")


EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M000\texc\t[4.5000, 3.5000, 2.0000]
C-E2:\tExcited;\t()
[12.0100 - 13.3925]\tSes01F_impro01_F001\txxx\t[2.5000, 2.5000, 2.5000]
[14.0100 - 15.3925]\tSes01F_impro01_F002\tfru\t[2.5000, 2.5000, 2.5000]
"""


@pytest.fixture
def iemocap(tree: Tree) -> Path:
    turns = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_"
    root = tree(
        [f"IEMOCAP_full_release/{turns}{name}.wav" for name in ("F000", "M000", "F001", "M077")]
        + ["IEMOCAP_full_release/Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_F003.wav"]
        + ["IEMOCAP_full_release/Session1/dialog/wav/Ses01F_impro01.wav"]
    )
    dialogue = root / "IEMOCAP_full_release" / "Session1" / "dialog"
    for folder, text in (
        ("EmoEvaluation", EVALUATION),
        ("transcriptions", "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\nM: [x]: no\n"),
    ):
        (dialogue / folder).mkdir(parents=True)
        (dialogue / folder / "Ses01F_impro01.txt").write_text(text)
        (dialogue / folder / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07")
    return root


def test_iemocap_labels_come_from_its_tables(iemocap: Path) -> None:
    for path in (iemocap, iemocap / "IEMOCAP_full_release"):
        reading = read_corpus(path)
        assert reading.corpus == "iemocap"
        neutral = one(reading, "Ses01F_impro01_F000.wav")
        assert (neutral.label, neutral.speaker, neutral.gender) == ("neutral", "01F", "female")
        assert (neutral.session, neutral.sentence, neutral.text) == ("1", "impro01", "Excuse me.")
        excited = one(reading, "Ses01F_impro01_M000.wav")
        assert (excited.corpus_label, excited.label, excited.speaker) == ("exc", "happy", "01M")
        assert (excited.valence, excited.activation, excited.dominance) == (4.5, 3.5, 2.0)
        assert one(reading, "Ses05M_script01_1b_F003.wav").speaker == "05F"
        undecided = one(reading, "Ses01F_impro01_F001.wav")
        assert (undecided.corpus_label, undecided.label) == ("xxx", None)
        assert undecided not in reading.labelled


def test_iemocap_says_what_does_not_match(iemocap: Path) -> None:
    reading = read_corpus(iemocap)
    assert "1 rated turns have no recording" in texts(reading, "missing")
    assert "2 recordings are not rated" in texts(reading, "missing")
    assert texts(reading, "label") == ["3 utterances without a label (none 2, xxx 1)"]
    assert texts(reading, "note") == ["1 x whole dialogue, skipped"]


def test_iemocap_without_tables_is_an_error(tree: Tree) -> None:
    root = tree(["Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"])
    with pytest.raises(CorpusError, match="without its tables"):
        read_corpus(root)


@pytest.mark.parametrize(
    ("names", "speakers"),
    [
        (["happy/a.wav", "Sadness/b.wav"], {None}),
        (["ann/happy/a.wav", "bob/Sadness/b.wav"], {"ann", "bob"}),
        (["happy/ann/a.wav", "Sadness/bob/b.wav"], {"ann", "bob"}),
        (["happy/ann/a.wav", "Sadness/bob/b.wav", "c.wav"], {"ann", "bob"}),
    ],
)
def test_folder_per_label(tree: Tree, names: list[str], speakers: set[str | None]) -> None:
    reading = read_corpus(tree(names))
    assert reading.corpus == "folders"
    assert sorted((str(u.label), u.path.name) for u in reading.utterances) == [
        ("happy", "a.wav"),
        ("sad", "b.wav"),
    ]
    assert {u.speaker for u in reading.utterances} == speakers
    assert bool(texts(reading, "label")) == ("c.wav" in names)
    assert bool(texts(reading, "note")) == (speakers == {None})


def test_folder_called_like_no_emotion_is_named(tree: Tree) -> None:
    reading = read_corpus(tree(["happy/a.wav", "hungry/b.wav"]))
    (problem,) = [p for p in reading.problems if p.kind == "label"]
    assert problem.names == ("hungry/b.wav",)
    with pytest.raises(CorpusError, match="none of 1 sound files"):
        read_corpus(tree(["hungry/b.wav"], root="other"), "folders")


def test_broken_names_do_not_stop_the_reading(tree: Tree) -> None:
    odd = ["\u2603/03-01-01-01-01-01-02.wav", "a b/03-01-01-01-01-01-03.wav", "é'\"/x\ny.wav"]
    reading = read_corpus(tree([*RAVDESS, *odd]))
    assert len(reading.utterances) == 5
    assert texts(reading, "name") == ["1 file with a name this corpus does not have, skipped"]


def test_links_are_followed_and_loops_end(tree: Tree) -> None:
    root = tree([f"real/{name}" for name in RAVDESS], root="elsewhere")
    linked = tree([RAVDESS[0]], root="linked")
    (linked / "more").symlink_to(root)
    (root / "loop").symlink_to(root)
    assert len(read_corpus(linked).utterances) == 3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: p / "absent", "no such folder or manifest"),
        (lambda p: p, "no sound files in it"),
        (lambda p: p / "a.txt", "neither a folder nor a manifest"),
    ],
)
def test_nothing_to_read(tmp_path: Path, make: Callable[[Path], Path], text: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(CorpusError, match=text) as caught:
        read_corpus(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert str(make(tmp_path)) in str(caught.value)


def test_what_is_not_recognised(tree: Tree) -> None:
    with pytest.raises(CorpusError, match="no known corpus among 2 sound files"):
        read_corpus(tree(["x.wav", "y.wav"], root="a"))
    mixed = tree([*RAVDESS[:1], "03a01Fa.wav", "OAF_a_sad.wav"], root="b")
    with pytest.raises(CorpusError, match="ravdess 1, tess 1, emodb 1"):
        read_corpus(mixed)
    assert len(read_corpus(mixed, "emodb").utterances) == 1
    with pytest.raises(CorpusError, match="unknown corpus 'moon'; there are ravdess"):
        read_corpus(mixed, "moon")
    with pytest.raises(CorpusError, match="no utterance of SAVEE among 3 sound files"):
        read_corpus(mixed, "savee")


def test_official_labels_add_up() -> None:
    for corpus in CORPORA.values():
        official = corpus.official
        if official.labels:
            assert sum(official.labels.values()) == official.utterances
        if official.per_speaker:
            assert official.per_speaker * len(official.speakers) == official.utterances


def test_digest_changes_with_what_matters(tree: Tree) -> None:
    names = ["ann/happy/a.wav", "bob/sad/b.wav"]
    digest = read_corpus(tree(names, root="a")).digest
    assert digest == read_corpus(tree(names, root="b")).digest
    assert digest != read_corpus(tree(["ann/happy/a.wav", "bob/angry/b.wav"], root="c")).digest


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "utterances", "speakers", "labels"),
    [("ravdess", 1080, 18, 8), ("emodb", 410, 8, 7), ("tess", 1400, 2, 7), ("raw/tess", 5, 2, 4)],
)
def test_real_corpora(speech_data: Path, folder: str, utterances: int, speakers: int, labels: int) -> None:
    reading = read_corpus(speech_data / folder)
    assert reading.corpus == folder.rsplit("/", maxsplit=1)[-1]
    assert len(reading.labelled) == utterances
    assert len(reading.speakers) == speakers
    assert len({u.label for u in reading.utterances}) == labels
    assert {p.kind for p in reading.problems} == {"missing"}


@pytest.mark.data
def test_real_names_of_crema_d(speech_data: Path) -> None:
    table = speech_data / "tables" / "crema-d" / "SentenceFilenames.csv"
    names = [line.split(",")[1].strip('"') for line in table.read_text().splitlines()[1:]]
    from pathlib import PurePosixPath

    corpus = CORPORA["crema-d"]
    described = [corpus.parse_name(PurePosixPath(f"AudioWAV/{name}.wav")) for name in names]
    assert all(described)
    assert Counter(d.corpus_label for d in described if d) == corpus.official.labels
    assert {d.speaker for d in described if d} == set(corpus.official.speakers)


@pytest.mark.data
def test_folder_of_several_corpora_is_refused(speech_data: Path) -> None:
    with pytest.raises(CorpusError, match="name one folder"):
        read_corpus(speech_data)
