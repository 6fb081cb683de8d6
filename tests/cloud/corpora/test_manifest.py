"""The CSV manifest: columns, paths, and rows that are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from overtone_cloud.corpora import read_corpus
from overtone_cloud.corpora.files import MAX_TABLE_BYTES
from overtone_cloud.errors import CorpusError


@pytest.fixture
def folder(tree: Callable[..., Path]) -> Path:
    return tree(["a.wav", "sub/b.wav"])


def write(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("name", "delimiter"), [("manifest.csv", ","), ("manifest.csv", ";"), ("my.tsv", "\t"), ("my.csv", ",")]
)
def test_all_columns(folder: Path, name: str, delimiter: str) -> None:
    rows = [
        [
            "Path",
            "Label",
            "speaker",
            "gender",
            "session",
            "sentence",
            "valence",
            "activation",
            "text",
            "colour",
        ],
        ["sub\\b.wav", "Anger", "ann", "female", "1", "s1", "1.5", "", "Hello.", "red"],
        ["a.wav", "joy", "", "", "", "", "", "", "", ""],
    ]
    table = write(folder, "\n".join(delimiter.join(row) for row in rows), name)
    reading = read_corpus(table)
    assert reading.corpus == "manifest"
    happy, angry = reading.utterances
    assert (happy.id, happy.label, happy.corpus_label, happy.speaker) == ("a.wav", "happy", "joy", None)
    assert (angry.id, angry.label, angry.speaker, angry.session) == ("sub/b.wav", "angry", "ann", "1")
    assert (angry.valence, angry.activation, angry.text) == (1.5, None, "Hello.")
    assert angry.path.is_file()
    assert [p.text for p in reading.problems] == ["columns not used: colour"]


def test_folder_with_a_manifest_is_read_by_it(folder: Path) -> None:
    write(folder, "path,label\na.wav,sad\n")
    assert [u.label for u in read_corpus(folder).utterances] == ["sad"]
    assert read_corpus(folder, "manifest").corpus == "manifest"


def test_absent_files_and_empty_labels_are_problems(folder: Path) -> None:
    reading = read_corpus(write(folder, "path,label\na.wav,\nabsent.wav,sad\n"))
    assert {p.kind: p.names for p in reading.problems} == {"missing": ("absent.wav",), "label": ("a.wav",)}
    assert [u.id for u in reading.labelled] == ["absent.wav"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "empty table"),
        ("path,label\n", "no utterances in it"),
        ("path,emotion\na.wav,sad\n", "column 'label' is missing; there are path, emotion"),
        ("label,file\nsad,a.wav\n", "column 'path' is missing"),
        ("path,label\na.wav,hungry\n", "row 2: unknown label 'hungry'"),
        ("path,label\na.wav,sad\n,sad\n", "row 3: path is empty"),
        ("path,label\na.wav,sad\na.wav,sad\n", "row 3: path 'a.wav' is listed twice"),
        ("path,label,valence\na.wav,sad,high\n", "row 2: valence is 'high', not a number"),
        ("path,label,valence\na.wav,sad,nan\n", "row 2: valence is 'nan', not a number"),
        ('path,label\n"a.wav,sad\n', "not a table"),
    ],
)
def test_lines_that_cannot_be(folder: Path, text: str, error: str) -> None:
    table = write(folder, text)
    with pytest.raises(CorpusError) as caught:
        read_corpus(table)
    assert error in str(caught.value)
    assert str(table) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_short_first_row_is_a_row_and_no_heading(folder: Path) -> None:
    first, second = read_corpus(write(folder, "path,label,speaker\na.wav\nsub/b.wav,happy,ann\n")).utterances
    assert (first.label, first.speaker) == (None, None)
    assert (second.label, second.speaker) == ("happy", "ann")


def test_rows_are_counted_as_editors_count_lines(folder: Path) -> None:
    table = write(folder, "path,label\r\na.wav,sad\r\n\r\n\r\nsub/b.wav,hungry\r\n")
    with pytest.raises(CorpusError, match="row 5: unknown label 'hungry'"):
        read_corpus(table)


def test_a_text_may_hold_what_is_no_end_of_a_line(folder: Path) -> None:
    table = write(folder, 'path,label,text\na.wav,sad,one\u2028two\nsub/b.wav,sad,"one\ntwo"\n')
    assert [u.text for u in read_corpus(table).utterances] == ["one\u2028two", "one\ntwo"]


def test_latin_1_and_byte_order_marks(folder: Path) -> None:
    (folder / "manifest.csv").write_bytes("\ufeffpath,label,text\na.wav,sad,schön\n".encode())
    assert read_corpus(folder).utterances[0].text == "schön"
    (folder / "manifest.csv").write_bytes("path,label,text\na.wav,sad,schön\n".encode("latin-1"))
    assert read_corpus(folder).utterances[0].text == "schön"


def test_size_before_parse(folder: Path) -> None:
    with (folder / "manifest.csv").open("wb") as file:
        file.truncate(MAX_TABLE_BYTES + 1)
    with pytest.raises(CorpusError, match=f"{MAX_TABLE_BYTES + 1} bytes, limit is {MAX_TABLE_BYTES}"):
        read_corpus(folder)


def test_named_manifest_that_is_not_there(folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"no manifest\.csv in it"):
        read_corpus(folder, "manifest")
