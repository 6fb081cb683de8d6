"""IEMOCAP: five sessions of two actors each; labels, ratings and texts come from its tables.

`SessionN/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav` is a turn of session 1's man in a
dialogue whose woman wears the markers; `SessionN/dialog/EmoEvaluation/Ses01F_impro01.txt` rates the
turns, `SessionN/dialog/transcriptions/Ses01F_impro01.txt` has the words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from overtone_cloud.corpora.corpus import Corpus, Enrichment, NameFields, OfficialCounts
from overtone_cloud.corpora.files import read_text
from overtone_cloud.corpora.utterance import Problem, Utterance
from overtone_cloud.errors import CorpusError

_TURN = re.compile(r"Ses0([1-5])[FM]_((?:impro|script)\d{2}(?:_\d)?[a-z]?)_([FM])[XM]*\d{3}", re.IGNORECASE)
_DIALOGUE = re.compile(r"Ses0[1-5][FM]_(?:impro|script)\d{2}(?:_\d)?[a-z]?", re.IGNORECASE)
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_RATING = re.compile(rf"\[{_NUMBER} - {_NUMBER}\]\t(\S+)\t(\w+)\t\[{_NUMBER}, {_NUMBER}, {_NUMBER}\]\s*", re.ASCII)
_WORDS = re.compile(r"(\S+) \[[\d.]+-[\d.]+\]: ?(.*)")


@dataclass(frozen=True, kw_only=True)
class Rating:
    """The raters' consensus on one turn; the scales are 1..5."""

    own: str
    valence: float
    activation: float
    dominance: float


def parse_name(relative: PurePosixPath) -> NameFields | None:
    """Return the fields of a turn's name; its label comes from the tables."""
    match = _TURN.fullmatch(relative.stem)
    if match is None:
        return None
    letter = match[3].upper()
    return NameFields(
        key=relative.stem,
        corpus_label=None,
        speaker=f"0{match[1]}{letter}",
        gender="female" if letter == "F" else "male",
        sentence=match[2].lower(),
        session=match[1],
    )


def other_kind(relative: PurePosixPath) -> str | None:
    """Return the kind of a whole dialogue's recording."""
    return "whole dialogue" if _DIALOGUE.fullmatch(relative.stem) else None


def parse_ratings(text: str) -> Iterator[tuple[str, Rating]]:
    """Yield `(turn, rating)` of an EmoEvaluation file; the lines of single raters are ignored."""
    for line in text.splitlines():
        match = _RATING.fullmatch(line)
        if match is not None:
            valence, activation, dominance = (float(match[i]) for i in (5, 6, 7))
            yield match[3], Rating(own=match[4], valence=valence, activation=activation, dominance=dominance)


def parse_words(text: str) -> Iterator[tuple[str, str]]:
    """Yield `(turn, words)` of a transcription."""
    for line in text.splitlines():
        match = _WORDS.fullmatch(line)
        if match is not None:
            yield match[1], match[2].strip()


def enrich(root: Path, utterances: tuple[Utterance, ...]) -> Enrichment:
    """Add labels, ratings and words from the tables of every session below or above `root`."""
    rating_files, word_files = _tables(root, "EmoEvaluation"), _tables(root, "transcriptions")
    if not rating_files:
        raise CorpusError(f"{root}: IEMOCAP without its tables dialog/EmoEvaluation/*.txt has no labels")
    ratings = dict(pair for file in rating_files for pair in parse_ratings(read_text(file)))
    words = dict(pair for file in word_files for pair in parse_words(read_text(file)))
    turns = {u.path.stem for u in utterances}
    problems: list[Problem] = []
    absent = tuple(sorted(set(ratings) - turns))
    if absent:
        text = f"{len(absent)} rated turns have no recording"
        problems.append(Problem(kind="missing", text=text, names=absent))
    unrated = tuple(u.id for u in utterances if u.path.stem not in ratings)
    if unrated:
        problems.append(Problem(kind="missing", text=f"{len(unrated)} recordings are not rated", names=unrated))
    return tuple(_complete(u, ratings.get(u.path.stem), words.get(u.path.stem)) for u in utterances), tuple(problems)


def _tables(root: Path, folder: str) -> list[Path]:
    return sorted(f for f in root.rglob(f"dialog/{folder}/*.txt") if not f.name.startswith("."))


def _complete(utterance: Utterance, rating: Rating | None, words: str | None) -> Utterance:
    if rating is None:
        return replace(utterance, text=words)
    return replace(
        utterance,
        corpus_label=rating.own,
        valence=rating.valence,
        activation=rating.activation,
        dominance=rating.dominance,
        text=words,
    )


IEMOCAP = Corpus(
    name="iemocap",
    title="IEMOCAP",
    language="English",
    page="https://sail.usc.edu/iemocap/",
    licence="a licence that the University of Southern California grants on request",
    model_terms="research licence of USC (IEMOCAP): no redistribution",
    commercial=False,
    instructions="ask for it at https://sail.usc.edu/iemocap/iemocap_release.htm",
    official=OfficialCounts(
        utterances=10_039,
        speakers=tuple(f"0{session}{letter}" for session in range(1, 6) for letter in "FM"),
        labels={
            "neu": 1708,
            "hap": 595,
            "exc": 1041,
            "sad": 1084,
            "ang": 1103,
            "fru": 1849,
            "fea": 40,
            "sur": 107,
            "dis": 2,
            "oth": 3,
            "xxx": 2507,
        },
    ),
    labels={
        "neu": "neutral",
        "hap": "happy",
        "exc": "happy",
        "sad": "sad",
        "ang": "angry",
        "fea": "fearful",
        "dis": "disgust",
        "sur": "surprised",
        "fru": "frustrated",
    },
    parse_name=parse_name,
    other_kind=other_kind,
    enrich=enrich,
)
