"""Whole recordings of a corpus: `overtone_common.audio` with the cloud's limit and AudioError."""

from functools import partial

from overtone_cloud.errors import AudioError
from overtone_common import audio

MAX_DURATION_S = 600.0

info = partial(audio.info, error=AudioError)
check = partial(audio.check, error=AudioError, max_duration_s=MAX_DURATION_S)
decode = partial(audio.decode, error=AudioError, max_duration_s=MAX_DURATION_S)
load = partial(audio.load, error=AudioError, max_duration_s=MAX_DURATION_S)
