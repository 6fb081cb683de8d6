"""Leaving one session out, or one group of speakers: some of its speakers validate, the others test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import SplitError

MOST_GROUPS = 5
"""As many as IEMOCAP has sessions: the paper's number of folds."""
SPEAKERS_A_GROUP = 2

Speaker = tuple[str, str]
"""Corpus and speaker: corpora may give two people one name."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Places of the utterances of each part; `validation` and `test` speakers are of the group left out."""

    name: str
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    validation_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]


def leave_one_group_out(utterances: Sequence[Utterance], *, groups: int | None = None, seed: int = 0) -> list[Fold]:
    """Return one fold a group: each corpus' sessions, or speakers dealt into groups alike in gender.

    Without `groups` there are as many as the smallest corpus allows, at most five. Raise SplitError, which names
    the corpus and the option that stands in.
    """
    by_corpus = {name: [u for u in utterances if u.corpus == name] for name in sorted({u.corpus for u in utterances})}
    possible = {name: _possible(name, of) for name, of in by_corpus.items()}
    number = min([MOST_GROUPS, *possible.values()]) if groups is None else groups
    for name, most in possible.items():
        if not 2 <= number <= most:
            raise SplitError(
                f"{name}: {number} groups asked for, its speakers or sessions make 2 to {most} groups of at least "
                f"{SPEAKERS_A_GROUP} speakers; --option groups=N"
            )
    dealt = {key: group for name, of in by_corpus.items() for key, group in _dealt(of, number, seed).items()}
    return [_fold(utterances, dealt, group) for group in range(number)]


def has_sessions(utterances: Sequence[Utterance]) -> bool:
    """Return whether every utterance has a session, and every session two speakers or more."""
    speakers: dict[str | None, set[str | None]] = {}
    for u in utterances:
        speakers.setdefault(u.session, set()).add(u.speaker)
    return None not in speakers and len(speakers) > 1 and min(map(len, speakers.values())) >= SPEAKERS_A_GROUP


def _possible(name: str, utterances: Sequence[Utterance]) -> int:
    without = sum(1 for u in utterances if u.speaker is None)
    if without:
        raise SplitError(
            f"{name}: {without} of {len(utterances)} utterances have no speaker, so none can be left out; "
            "give its folder as --option unlabelled=PATH"
        )
    if has_sessions(utterances):
        return len({u.session for u in utterances})
    speakers = len({u.speaker for u in utterances})
    if speakers < 2 * SPEAKERS_A_GROUP:
        raise SplitError(
            f"{name}: {speakers} speakers are too few, {2 * SPEAKERS_A_GROUP} are needed to train, validate and test; "
            "give its folder as --option unlabelled=PATH"
        )
    return speakers // SPEAKERS_A_GROUP


def _dealt(utterances: Sequence[Utterance], number: int, seed: int) -> dict[Speaker, tuple[int, int]]:
    """Return each speaker's group, and place in it: women before men, so that every second one is a fair half."""
    generator = np.random.default_rng(seed)
    genders = {(u.corpus, str(u.speaker)): u.gender or "" for u in utterances}
    order = [s for g in sorted(set(genders.values())) for s in _shuffled(genders, g, generator)]
    if has_sessions(utterances):
        sessions = sorted({str(u.session) for u in utterances})
        session_of = {(u.corpus, str(u.speaker)): sessions.index(str(u.session)) for u in utterances}
        group_of = {speaker: session_of[speaker] % number for speaker in order}
    else:
        group_of = {speaker: place % number for place, speaker in enumerate(order)}
    seen: dict[int, int] = {}
    result = {}
    for speaker in order:
        group = group_of[speaker]
        result[speaker] = (group, seen.get(group, 0))
        seen[group] = seen.get(group, 0) + 1
    return result


def _shuffled(genders: Mapping[Speaker, str], gender: str, generator: np.random.Generator) -> list[Speaker]:
    group = sorted(s for s, g in genders.items() if g == gender)
    return [group[i] for i in generator.permutation(len(group))]


def _fold(utterances: Sequence[Utterance], dealt: Mapping[Speaker, tuple[int, int]], group: int) -> Fold:
    parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    speakers: dict[str, set[str]] = {name: set() for name in parts}
    for index, u in enumerate(utterances):
        own, place = dealt[u.corpus, str(u.speaker)]
        # The roles change from fold to fold, so that women and men are tested alike.
        part = "train" if own != group else "validation" if place % 2 == group % 2 else "test"
        parts[part].append(index)
        speakers[part].add(f"{u.corpus} {u.speaker}")
    return Fold(
        name=f"group {group + 1}",
        train=tuple(parts["train"]),
        validation=tuple(parts["validation"]),
        test=tuple(parts["test"]),
        validation_speakers=tuple(sorted(speakers["validation"])),
        test_speakers=tuple(sorted(speakers["test"])),
    )
