"""Recordings of system B: spectrograms and crops of them, and folds that hold a session or speaker group out.

A crop is centred on a random word or, where a corpus has no word times, on a random voiced frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import CorpusError, SplitError
from overtone_models.features.crops import HOP_SAMPLES, VoicedSpectrogramSpec, cut
from overtone_models.features.spectra import TOP_DB
from overtone_models.front_end import F32
from overtone_papers.common.data import InnerFold, Rows, Scaler, rows_of
from overtone_papers.common.study import Study
from overtone_papers.valence.ratings import dimensions
from overtone_papers.valence.words import Times, word_times

SPEC = VoicedSpectrogramSpec(in_decibels=True)
SCALER = Scaler(mean=np.array([-TOP_DB / 2], np.float32), std=np.array([TOP_DB / 2], np.float32))
"""Decibels of -80..0 become -1..1: the range of the generator's tanh."""
AT_ONCE = 256
"""Recordings per batch of extraction: each takes its full width of memory until it is packed."""
EVALUATION = 1
"""Random stream of the validation and test crops."""
MOST_GROUPS = 5
"""As many as IEMOCAP has sessions: the paper's number of folds."""
SPEAKERS_PER_GROUP = 2

Speaker = tuple[str, str]
"""Corpus and speaker: a name may stand for different people in two corpora."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """A spectrogram `(rows, frames)` in decibels, -80..0, and where a crop may be centred.

    `spots` are `(n, 2)` first and last frames of words, or of single voiced frames.
    """

    spectrogram: NDArray[np.float16]
    spots: Rows
    voiced: Rows
    by_words: bool

    def crop(self, width: int, generator: np.random.Generator) -> F32:
        """Return `(rows, width)` in -1..1 about a random point of a random word or voiced frame."""
        first, last = self.spots[generator.integers(len(self.spots))]
        return SCALER(self._cut(int(generator.integers(first, last + 1)), width))

    def middle(self, width: int) -> F32:
        """Return `(rows, width)` decibels about the middle voiced frame: what `CropSpec` computes on a device."""
        return self._cut(int(self.voiced[len(self.voiced) // 2]), width)

    def _cut(self, centre: int, width: int) -> F32:
        return cut(self.spectrogram.astype(np.float32), centre, width, fill=-TOP_DB)


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """The labelled recordings with their ratings `(n,)` in 1..5."""

    utterances: tuple[Utterance, ...]
    recordings: tuple[Recording, ...]
    valence: NDArray[np.float64]
    activation: NDArray[np.float64]

    def rows(self, ids: Sequence[str]) -> Rows:
        """Return the rows of these utterances."""
        return rows_of(self.utterances, ids)

    def some(self, rows: Rows) -> list[Recording]:
        """Return the recordings of these rows."""
        return [self.recordings[i] for i in rows]


def usable(readings: Mapping[str, Reading]) -> tuple[Utterance, ...]:
    """Return the utterances that have a rating, or a category that the table rates; ids include the corpus."""
    rated = (u for reading in readings.values() for u in reading.utterances if dimensions(u) is not None)
    return tuple(replace(u, id=f"{u.corpus}/{u.id}") for u in rated)


def load(study: Study) -> Data:
    """Return every corpus' labelled recordings; unreadable ones are left out and named in the log."""
    candidates = usable(study.readings)
    utterances, recordings = spectrograms(candidates, study)
    if not recordings:
        raise CorpusError(f"none of {len(candidates)} recordings can be read")
    ratings = np.array([dimensions(u) for u in utterances], np.float64)
    count, words = len(recordings), sum(r.by_words for r in recordings)
    study.log(f"{count} recordings; crops on words in {words} of them, on voiced frames in {count - words}")
    return Data(utterances=utterances, recordings=recordings, valence=ratings[:, 0], activation=ratings[:, 1])


def spectrograms(utterances: Sequence[Utterance], study: Study) -> tuple[tuple[Utterance, ...], tuple[Recording, ...]]:
    """Return the utterances that can be read, and their recordings."""
    readable: list[Utterance] = []
    recordings: list[Recording] = []
    for start in range(0, len(utterances), AT_ONCE):
        some, features = study.extract(utterances[start : start + AT_ONCE], SPEC)
        readable += some
        recordings += [packed(f, word_times(u.path)) for u, f in zip(some, features, strict=True)]
    return tuple(readable), tuple(recordings)


def packed(feature: F32, words: Times) -> Recording:
    """Return the recording of a `VoicedSpectrogramSpec` feature `(rows + 1, frames)` and its words' times in s."""
    voiced = np.flatnonzero(feature[-1] > 0.0)
    spots = word_spots(words, feature.shape[1])
    return Recording(
        spectrogram=feature[:-1].astype(np.float16),
        spots=spots if len(spots) else np.stack([voiced, voiced], 1),
        voiced=voiced,
        by_words=len(spots) > 0,
    )


def word_spots(words: Times, frames: int) -> Rows:
    """Return `(n, 2)` first and last frames of words; words after the end are left out."""
    per_second = SPEC.sample_rate_hz / HOP_SAMPLES
    ends = [(round(begin * per_second), round(end * per_second)) for begin, end in words]
    inside = [(first, min(max(first, last), frames - 1)) for first, last in ends if first < frames]
    return np.array(inside, np.int64).reshape(-1, 2)


def crops(recordings: Sequence[Recording], width: int, generator: np.random.Generator) -> F32:
    """Return `(n, rows, width, 1)` random crops in -1..1, one of each recording."""
    return np.stack([r.crop(width, generator) for r in recordings])[..., None]


def fixed_crops(recordings: Sequence[Recording], width: int, seed: int) -> F32:
    """Return the `(n, rows, width, 1)` crops that validate or test: drawn once, so that epochs are comparable."""
    return crops(recordings, width, np.random.default_rng((seed, EVALUATION)))


def leave_one_group_out(utterances: Sequence[Utterance], *, groups: int | None = None) -> tuple[InnerFold, ...]:
    """Return one fold per group: each corpus' sessions, or speaker groups balanced by gender.

    Some speakers of the held-out group validate (`inner`), the others test. Without `groups` there are as many as
    the smallest corpus allows, at most five. Raise SplitError, which names the corpus and the option that stands in.
    """
    by_corpus = {name: [u for u in utterances if u.corpus == name] for name in sorted({u.corpus for u in utterances})}
    possible = {name: _possible(name, of) for name, of in by_corpus.items()}
    count = min([MOST_GROUPS, *possible.values()]) if groups is None else groups
    for name, most in possible.items():
        if not 2 <= count <= most:
            raise SplitError(
                f"{name}: {count} groups asked for, its speakers or sessions make 2 to {most} groups of at least "
                f"{SPEAKERS_PER_GROUP} speakers; --option groups=N"
            )
    places = {key: place for of in by_corpus.values() for key, place in _speaker_groups(of, count).items()}
    return tuple(_fold(utterances, places, group) for group in range(count))


def speakers_of(utterances: Sequence[Utterance], ids: Sequence[str]) -> list[str]:
    """Return corpus and name of the speakers of these utterances."""
    members = set(ids)
    return sorted({f"{u.corpus} {u.speaker}" for u in utterances if u.id in members})


def has_sessions(utterances: Sequence[Utterance]) -> bool:
    """Return whether every utterance has a session, and every session two speakers or more."""
    speakers: dict[str | None, set[str | None]] = {}
    for u in utterances:
        speakers.setdefault(u.session, set()).add(u.speaker)
    return None not in speakers and len(speakers) > 1 and min(map(len, speakers.values())) >= SPEAKERS_PER_GROUP


def _possible(name: str, utterances: Sequence[Utterance]) -> int:
    """Return the number of groups that a corpus allows."""
    without = sum(1 for u in utterances if u.speaker is None)
    speakers, least = len({u.speaker for u in utterances}), 2 * SPEAKERS_PER_GROUP
    lack = ""
    if without:
        lack = f"{without} of {len(utterances)} utterances have no speaker, so none can be left out"
    elif has_sessions(utterances):
        return len({u.session for u in utterances})
    elif speakers < least:
        lack = f"{speakers} speakers are too few, {least} are needed to train, validate and test"
    if lack:
        raise SplitError(f"{name}: {lack}; give its folder as --option unlabelled=PATH")
    return speakers // SPEAKERS_PER_GROUP


def _speaker_groups(utterances: Sequence[Utterance], count: int) -> dict[Speaker, tuple[int, int]]:
    """Return each speaker's group and place in it: women before men, so that every second place is a balanced half."""
    generator = np.random.default_rng(0)
    genders = {(u.corpus, str(u.speaker)): u.gender or "" for u in utterances}
    order: list[Speaker] = []
    for gender in sorted(set(genders.values())):
        own = sorted(speaker for speaker, g in genders.items() if g == gender)
        order += [own[i] for i in generator.permutation(len(own))]
    group_of = {speaker: place % count for place, speaker in enumerate(order)}
    if has_sessions(utterances):
        sessions = sorted({str(u.session) for u in utterances})
        group_of = {(u.corpus, str(u.speaker)): sessions.index(str(u.session)) % count for u in utterances}
    members = [[speaker for speaker in order if group_of[speaker] == group] for group in range(count)]
    return {speaker: (group, place) for group, own in enumerate(members) for place, speaker in enumerate(own)}


def _fold(utterances: Sequence[Utterance], places: Mapping[Speaker, tuple[int, int]], group: int) -> InnerFold:
    parts: dict[str, list[str]] = {"train": [], "inner": [], "test": []}
    for u in utterances:
        own, place = places[u.corpus, str(u.speaker)]
        # The roles alternate between folds, so that women and men are tested equally.
        parts["train" if own != group else "inner" if place % 2 == group % 2 else "test"].append(u.id)
    return InnerFold(name=f"group {group + 1}", **{part: tuple(ids) for part, ids in parts.items()})
