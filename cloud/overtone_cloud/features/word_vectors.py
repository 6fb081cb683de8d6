"""Word vectors (GloVe, word2vec): a vector for each word, from a text file with lines `word v1 ... vN`."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_models.digests import digest_mapping
from overtone_models.front_end import F32

_WORD = re.compile(r"[^\W_]+|[^\w\s]")
_CLITIC = re.compile(r"(?i)(n't|'(?:s|m|re|ve|ll|d))\b")
_HEADING = re.compile(r"\d+ \d+", re.ASCII)
MAX_WIDTH = 4_096
MAX_LINE = 1 << 20


def words_of(text: str) -> list[str]:
    """Return the lower-case words and signs of `text` as GloVe's vocabulary splits them: `do n't`, `it 's`, `.`."""
    plain = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower()
    words: list[str] = []
    for part in _CLITIC.sub(r" \1 ", plain).split():
        words.extend([part] if _CLITIC.fullmatch(part) else _WORD.findall(part))
    return words


@dataclass(frozen=True, kw_only=True, eq=False)
class WordVectors:
    """The `(width,)` vectors of the words that some texts need; other words of the file are dropped."""

    width: int
    vectors: Mapping[str, F32]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the words and their vectors."""
        digests = {word: hashlib.sha256(vector.tobytes()).hexdigest() for word, vector in self.vectors.items()}
        return digest_mapping({"width": self.width, "words": digests})

    def encode(self, text: str) -> F32:
        """Return `(words, width)` of the words that have a vector; one row of zeros where none has."""
        rows = [self.vectors[word] for word in words_of(text) if word in self.vectors]
        return np.stack(rows) if rows else np.zeros((1, self.width), np.float32)

    def unknown(self, texts: Iterable[str]) -> int:
        """Return how many words of `texts` have no vector and are ignored."""
        return sum(1 for text in texts for word in words_of(text) if word not in self.vectors)


def read_word_vectors(path: Path, texts: Iterable[str], *, width: int | None = None) -> WordVectors:
    """Return the vectors of the words in `texts`; `width` None takes that of the file's first line.

    Raise ConfigError, which names file and line, for another width, a value that is not a number, or an
    unreadable file.
    """
    wanted = {word for text in texts for word in words_of(text)}
    vectors: dict[str, F32] = {}
    for number, line in _lines(path):
        count = line.count(" ")
        width = width or count
        word, values = _cut(line, width)
        if count < width or width > MAX_WIDTH or _number(word.rpartition(" ")[2] if " " in word else ""):
            raise ConfigError(
                f"{path}, line {number}: {count} numbers after the word, expected {min(width, MAX_WIDTH)}"
            )
        if word in wanted and word not in vectors:
            vectors[word] = _vector(path, number, values)
    if width is None:
        raise ConfigError(f"{path}: no word vectors in it")
    return WordVectors(width=width, vectors=vectors)


def _cut(line: str, width: int) -> tuple[str, str]:
    """Return word and values; some files have words with spaces in them, so the values are counted from the end."""
    if line.count(" ") <= width:
        word, _, values = line.partition(" ")
        return word, values
    parts = line.rsplit(" ", width)
    return parts[0], " ".join(parts[1:])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not empty; word2vec's first line, `words width`, is skipped."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE), ""), start=1):
                if len(raw) == MAX_LINE:
                    raise ConfigError(f"{path}, line {number}: longer than {MAX_LINE} characters, not word vectors")
                line = raw.rstrip()
                if line and not (number == 1 and _HEADING.fullmatch(line)):
                    yield number, line
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _vector(path: Path, number: int, values: str) -> F32:
    try:
        vector = np.array(values.split(" "), np.float32)
    except ValueError as error:
        raise ConfigError(f"{path}, line {number}: {error}") from error
    if not np.isfinite(vector).all():
        raise ConfigError(f"{path}, line {number}: a value is not a finite number")
    return vector
