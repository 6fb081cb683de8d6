"""Synthetic emotional speech: a source-filter voice for trials and tests without recordings."""

from overtone_cloud.errors import SynthesisError
from overtone_cloud.synthesis.corpus import golden_clip, write_corpus
from overtone_cloud.synthesis.style import EMOTION_STYLES, Style, Voice
from overtone_cloud.synthesis.voice import synthesise
from overtone_common.audio import SAMPLE_RATE_HZ

__all__ = [
    "EMOTION_STYLES",
    "SAMPLE_RATE_HZ",
    "Style",
    "SynthesisError",
    "Voice",
    "golden_clip",
    "synthesise",
    "write_corpus",
]
