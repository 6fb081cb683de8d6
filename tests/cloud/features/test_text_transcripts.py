"""Transcripts: from the corpora's own readers, or from a table."""

from pathlib import Path

import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError
from overtone_cloud.features.transcripts import check_transcripts, read_table, transcripts_of


def reading(root: Path, *utterances: tuple[str, str | None], label: str | None = "happy") -> Reading:
    """Return a reading of utterances with these ids and texts."""
    found = tuple(Utterance(id=i, path=root / i, corpus="folders", label=label, text=t) for i, t in utterances)
    return Reading(corpus="folders", root=root, utterances=found)


@pytest.mark.parametrize(
    ("name", "files", "texts"),
    [
        (
            "ravdess",
            ["03-01-03-01-01-01-01.wav", "03-01-03-01-02-01-01.wav"],
            {"Kids are talking by the door", "Dogs are sitting by the door"},
        ),
        ("emodb", ["03a01Fa.wav"], {"Der Lappen liegt auf dem Eisschrank."}),
        ("crema-d", ["1001_IEO_ANG_HI.wav"], {"It's eleven o'clock."}),
        ("tess", ["OAF_back_angry.wav"], {"Say the word back"}),
    ],
)
def test_the_corpora_say_their_sentences(tmp_path: Path, name: str, files: list[str], texts: set[str]) -> None:
    for file in files:
        (tmp_path / file).write_bytes(b"")
    assert set(transcripts_of(read_corpus(tmp_path, name)).values()) == texts


def test_a_corpus_without_transcripts_names_the_option(tmp_path: Path) -> None:
    given = reading(tmp_path, ("a.wav", None), ("b.wav", "  "))
    with pytest.raises(CorpusError, match=r"folders in .*: no transcripts; .*--option transcripts=FILE.csv"):
        transcripts_of(given)
    with pytest.raises(CorpusError, match="no transcripts"):
        check_transcripts({"folders": given})


def test_utterances_without_a_text_or_a_label_are_left_out(tmp_path: Path) -> None:
    assert transcripts_of(reading(tmp_path, ("a.wav", " so \n what "), ("b.wav", None))) == {"a.wav": "so what"}
    with pytest.raises(CorpusError, match="no transcripts"):
        transcripts_of(reading(tmp_path, ("a.wav", "said"), label=None))


def test_a_table_stands_in_and_comes_first(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(
        f'path,text\nx/a.wav,"one, two"\nb.wav,three\n{tmp_path}/x/c.wav,four\nstranger.wav,five\nd.wav,\n'
    )
    given = reading(tmp_path, ("x/a.wav", "own"), ("y/b.wav", None), ("x/c.wav", None), ("d.wav", "kept"))
    assert transcripts_of(given, table=table) == {
        "x/a.wav": "one, two",
        "y/b.wav": "three",
        "x/c.wav": "four",
        "d.wav": "kept",
    }


def test_a_name_that_two_recordings_have_names_none(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text("path,text\na.wav,one\n")
    with pytest.raises(CorpusError, match="no transcripts"):
        transcripts_of(reading(tmp_path, ("x/a.wav", None), ("y/a.wav", None)), table=table)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("path,words\na,b\n", "column 'text' is missing; there are path, words"),
        ("path,text\n", "there are no rows"),
        ("path,text\na,b\na,c\n", "row 3: path 'a' is listed twice with different texts"),
        ("path,text\n,b\n", "row 2: path is empty"),
        ("", "empty table"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, content: str, text: str) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(content)
    with pytest.raises(CorpusError, match=text):
        read_table(table)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="No such file"):
        read_table(tmp_path / "no.csv")
