"""Corpora of emotional speech: `read_corpus(path)` returns a `Reading` of `Utterance`s."""

from overtone_cloud.corpora.registry import CORPORA, corpus_names, read_corpus
from overtone_cloud.corpora.utterance import Problem, Reading, Utterance

__all__ = ["CORPORA", "Problem", "Reading", "Utterance", "corpus_names", "read_corpus"]
