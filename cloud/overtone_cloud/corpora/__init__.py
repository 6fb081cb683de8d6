"""Corpora of emotional speech: `read_corpus(path)` returns a `Reading` of `Utterance`s."""

from overtone_cloud.corpora.registry import CORPORA, NAMES, read_corpus
from overtone_cloud.corpora.utterance import Problem, Reading, Utterance

__all__ = ["CORPORA", "NAMES", "Problem", "Reading", "Utterance", "read_corpus"]
