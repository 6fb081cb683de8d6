"""Word vectors from a text file: widths are checked, unknown words passed over and counted."""

from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.errors import ConfigError
from overtone_cloud.features.text import embed
from overtone_cloud.features.word_vectors import read_word_vectors, words_of

LINES = "the 1 2 3\nhappy -0.5 .25 1e-2\nn't 0 0 1\n. . 7 8 9\n! 4 5 6\nthe 9 9 9\n"


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "glove.txt"
    path.write_text(LINES)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't you SEE it's here?", ["do", "n't", "you", "see", "it", "'s", "here", "?"]),
        ("I’m fine, they’ll go...", ["i", "'m", "fine", ",", "they", "'ll", "go", ".", ".", "."]),
        ("Die Tüten da", ["die", "tüten", "da"]),
        ("[LAUGHTER] o'clock", ["[", "laughter", "]", "o", "'", "clock"]),
        ("", []),
    ],
)
def test_words_are_split_as_the_vocabulary_has_them(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_known_words_have_rows_and_unknown_ones_are_counted(vectors: Path) -> None:
    texts = ["The cat is happy!", "nothing known"]
    found = read_word_vectors(vectors, texts)
    assert found.width == 3
    np.testing.assert_allclose(found.encode(texts[0]), [[1, 2, 3], [-0.5, 0.25, 0.01], [4, 5, 6]])
    assert found.encode(texts[0]).dtype == np.float32
    np.testing.assert_array_equal(found.encode(texts[1]), np.zeros((1, 3)))
    assert found.unknown(texts) == 4
    assert set(found.vectors) == {"the", "happy", "!"}


def test_a_word_with_a_space_is_no_error(vectors: Path) -> None:
    found = read_word_vectors(vectors, ["happy."], width=3)
    np.testing.assert_allclose(found.encode("happy."), [[-0.5, 0.25, 0.01]])


def test_a_heading_of_word2vec_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("1 3\nthe 1 2 3\n")
    assert read_word_vectors(path, ["the"]).width == 3


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("the 1 2\n", "line 1: 2 numbers after the word, expected 3"),
        ("the 1 2 3\na 1 2 3 4\n", "line 2: 4 numbers after the word, expected 3"),
        ("the 1 2 3\na 1\n", "line 2: 1 numbers after the word, expected 3"),
        ("the 1 x 3\n", "line 1: could not convert"),
        ("the 1 nan 3\n", "line 1: a value is not a finite number"),
        ("x" * (1 << 20), "line 1: longer than"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "glove.txt"
    path.write_text(content)
    with pytest.raises(ConfigError, match=text):
        read_word_vectors(path, ["the"], width=3)


def test_an_empty_or_absent_file(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ConfigError, match="no word vectors in it"):
        read_word_vectors(tmp_path / "empty.txt", ["the"])
    with pytest.raises(ConfigError, match="No such file"):
        read_word_vectors(tmp_path / "absent.txt", ["the"])


def test_vectors_are_kept_by_what_they_are(vectors: Path, tmp_path: Path) -> None:
    one = read_word_vectors(vectors, ["the"])
    vectors.write_text(LINES.replace("1 2 3", "3 2 1", 1))
    other = read_word_vectors(vectors, ["the"])
    assert one.digest != other.digest
    assert embed(["the"], one, cache=tmp_path)["the"].tolist() == [[1, 2, 3]]
    assert embed(["the"], other, cache=tmp_path)["the"].tolist() == [[3, 2, 1]]
