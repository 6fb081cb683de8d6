"""Cross-validation splits: by speaker, session, script, named test speakers, or at random.

Each function uses the labelled utterances of one corpus and tests each of them at most once.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from overtone_cloud.corpora.ravdess import EMOBOX_FOLDS
from overtone_cloud.corpora.split_file import KINDS, Fold, Split, load_split, shares_speakers
from overtone_cloud.corpora.utterance import Utterance, utterances_digest
from overtone_cloud.errors import SplitError

__all__ = [
    "KINDS",
    "Fold",
    "Split",
    "at_random",
    "by_corpus",
    "by_session",
    "by_speaker",
    "by_speaker_and_script",
    "corpus_of",
    "emobox",
    "hold_out",
    "inner_speakers",
    "leave_one_speaker_out",
    "load_split",
    "make_split",
]

MIN_SPEAKERS_FOR_INNER = 4
"""A smaller corpus sets no inner speaker aside: one of TESS' two would be half of it, and outweigh all others."""

Test = Callable[[Utterance], bool]


def by_speaker(utterances: Sequence[Utterance], *, folds: int = 5, seed: int = 0) -> Split:
    """Return `folds` folds with disjoint test speakers, balanced in number and gender."""
    used = _usable(utterances)
    speakers = _speakers(used)
    _enough("speakers", len(speakers), folds)
    groups = _deal(_shuffled_speakers(used, seed), folds)
    return _split("speaker", used, [(f"fold {i + 1}", _speaks(group)) for i, group in enumerate(groups)], seed)


def leave_one_speaker_out(utterances: Sequence[Utterance]) -> Split:
    """Return one fold per speaker, who is the only one tested in it."""
    used = _usable(utterances)
    speakers = _speakers(used)
    _enough("speakers", len(speakers), 2)
    return _split("leave-one-speaker-out", used, [(f"speaker {s}", _speaks([s])) for s in speakers], 0)


def emobox(utterances: Sequence[Utterance]) -> Split:
    """Return the six EmoBox folds of RAVDESS; a missing actor is left out of the fold."""
    used = _usable(utterances)
    if any(u.corpus != "ravdess" for u in used):
        raise SplitError(f"EmoBox folds are known for ravdess only, this corpus is {used[0].corpus}")
    present = set(_speakers(used))
    absent = [str(i + 1) for i, actors in enumerate(EMOBOX_FOLDS) if not present & set(actors)]
    if absent:
        raise SplitError(f"EmoBox folds {', '.join(absent)} have none of their actors in this corpus")
    return _split("emobox", used, [(f"fold {i + 1}", _speaks(a)) for i, a in enumerate(EMOBOX_FOLDS)], 0)


def by_session(utterances: Sequence[Utterance]) -> Split:
    """Return one fold per session, which is the only one tested in it.

    Where sessions share speakers (IEMOCAP's do not) the split says so.
    """
    used = _usable(utterances)
    without = sum(1 for u in used if u.session is None)
    if without:
        raise SplitError(f"{without} of {len(used)} utterances have no session")
    sessions = sorted({str(u.session) for u in used})
    _enough("sessions", len(sessions), 2)
    tests: list[tuple[str, Test]] = [(f"session {s}", _in_session(s)) for s in sessions]
    return _split("session", used, tests, 0)


def by_speaker_and_script(
    utterances: Sequence[Utterance], *, folds: int = 5, script_folds: int = 2, seed: int = 0
) -> Split:
    """Return `folds * script_folds` folds whose test speakers and scripts are both unseen in training.

    Utterances that share only one of the two with the test part are in neither part of a fold.
    """
    used = _usable(utterances)
    without = sum(1 for u in used if u.sentence is None)
    if without:
        raise SplitError(f"{without} of {len(used)} utterances have no sentence or script")
    scripts = sorted({str(u.sentence) for u in used})
    _enough("speakers", len(_speakers(used)), folds)
    _enough("scripts", len(scripts), script_folds)
    shuffled = [scripts[i] for i in np.random.default_rng(seed).permutation(len(scripts))]
    crossed = [
        _crossed(f"speakers {i + 1}, scripts {j + 1}", used, set(who), set(what))
        for i, who in enumerate(_deal(_shuffled_speakers(used, seed), folds))
        for j, what in enumerate(_deal(shuffled, script_folds))
    ]
    return _as_split("speaker-script", used, crossed, seed)


def at_random(utterances: Sequence[Utterance], *, folds: int = 5, seed: int = 0) -> Split:
    """Return `folds` folds stratified by label; training and test share speakers, so figures are optimistic."""
    used = _labelled(utterances)
    _enough("utterances", len(used), folds)
    generator = np.random.default_rng(seed)
    places: dict[str, int] = {}
    for label in sorted({str(u.label) for u in used}):
        ids = [u.id for u in used if u.label == label]
        places |= {ids[i]: len(places) + n for n, i in enumerate(generator.permutation(len(ids)))}
    tests: list[tuple[str, Test]] = [(f"fold {k + 1}", _at_place(places, folds, k)) for k in range(folds)]
    return _split("random", used, tests, seed)


def hold_out(utterances: Sequence[Utterance], speakers: Iterable[str]) -> Split:
    """Return one fold that tests the named speakers; `16` also names a speaker `016`."""
    used = _usable(utterances)
    test = _resolve_names(speakers, _speakers(used))
    if len(test) == len(_speakers(used)):
        raise SplitError(f"all {len(test)} speakers are test speakers: nobody is left to train on")
    return _split("holdout", used, [("holdout", _speaks(test))], 0)


def inner_speakers(utterances: Sequence[Utterance], *, fraction: float = 0.15, seed: int = 0) -> tuple[str, ...]:
    """Return speakers to set aside within a training part (early stopping, calibration), sorted.

    Their number is `fraction` of the speakers rounded, at least one; genders alternate. Of several corpora, whose
    speakers are called `corpus/name`, each gives its own share, since one may fit another badly; one of fewer than
    `MIN_SPEAKERS_FOR_INNER` speakers gives none while another can.
    """
    used = _usable(utterances)
    corpora = [own for own in by_corpus(used).values() if len(_speakers(own)) >= MIN_SPEAKERS_FOR_INNER] or [used]
    return tuple(sorted(name for own in corpora for name in _some_speakers(own, fraction, seed)))


def _some_speakers(used: Sequence[Utterance], fraction: float, seed: int) -> Sequence[str]:
    mixed = _shuffled_speakers(used, seed)
    number = max(1, round(fraction * len(mixed)))
    if number >= len(mixed):
        raise SplitError(f"{number} inner speakers asked for, there are {len(mixed)} training speakers")
    return mixed[:number]


def corpus_of(speaker: str) -> str:
    """Return the corpus that a speaker called `corpus/name` comes from; empty where the name has none."""
    corpus, named, _ = speaker.partition("/")
    return corpus if named else ""


def by_corpus(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Return the utterances of each corpus, where speakers are called `corpus/name`."""
    corpora: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        corpora.setdefault(corpus_of(str(utterance.speaker)), []).append(utterance)
    return corpora


def make_split(
    utterances: Sequence[Utterance],
    kind: str,
    *,
    folds: int = 5,
    script_folds: int = 2,
    seed: int = 0,
    test_speakers: Iterable[str] = (),
) -> Split:
    """Return a split of any of `KINDS`; arguments that do not concern the kind are ignored."""
    functions: dict[str, Callable[[], Split]] = {
        "speaker": lambda: by_speaker(utterances, folds=folds, seed=seed),
        "leave-one-speaker-out": lambda: leave_one_speaker_out(utterances),
        "emobox": lambda: emobox(utterances),
        "session": lambda: by_session(utterances),
        "speaker-script": lambda: by_speaker_and_script(utterances, folds=folds, script_folds=script_folds, seed=seed),
        "random": lambda: at_random(utterances, folds=folds, seed=seed),
        "holdout": lambda: hold_out(utterances, test_speakers),
    }
    if kind not in functions:
        raise SplitError(f"unknown kind of split {kind!r}; there are {', '.join(KINDS)}")
    return functions[kind]()


def _labelled(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Return the utterances with a label, sorted by id, so that folds do not depend on their order."""
    used = sorted((u for u in utterances if u.label is not None), key=lambda u: u.id)
    if not used:
        raise SplitError(f"none of {len(utterances)} utterances has a label")
    return used


def _usable(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Return the labelled utterances; raise SplitError when one has no speaker."""
    used = _labelled(utterances)
    without = sum(1 for u in used if u.speaker is None)
    if without:
        raise SplitError(f"{without} of {len(used)} utterances have no speaker")
    return used


def _speakers(used: Sequence[Utterance]) -> list[str]:
    return sorted({str(u.speaker) for u in used})


def _enough(noun: str, number: int, needed: int) -> None:
    if needed < 2:
        raise SplitError(f"{needed} folds of {noun} asked for, at least 2 are needed")
    if number < needed:
        raise SplitError(f"{number} {noun} are too few for {needed} folds")


def _shuffled_speakers(used: Sequence[Utterance], seed: int) -> list[str]:
    """Return the speakers in random order, genders spread evenly, so that any run of them has all genders."""
    generator = np.random.default_rng(seed)
    genders = {str(u.speaker): u.gender or "" for u in used}
    by_gender = {g: sorted(s for s in genders if genders[s] == g) for g in sorted(set(genders.values()))}
    places: list[tuple[float, str]] = []
    for group in by_gender.values():
        order = generator.permutation(len(group))
        places.extend(((place + 0.5) / len(group), group[i]) for place, i in enumerate(order))
    return [speaker for _, speaker in sorted(places)]


def _deal(things: Sequence[str], hands: int) -> list[list[str]]:
    """Return `hands` runs of nearly equal length; dealing in turns could give one hand all speakers of a gender."""
    ends = [len(things) * hand // hands for hand in range(hands + 1)]
    return [list(things[start:end]) for start, end in pairwise(ends)]


def _resolve_names(names: Iterable[str], speakers: list[str]) -> list[str]:
    """Return the speakers that `names` refer to; a number may lack its leading zeros."""
    short = {s.lstrip("0") if s.isdigit() else s: s for s in speakers}
    matches = []
    for name in names:
        speaker = name if name in speakers else short.get(name.lstrip("0") if name.isdigit() else name)
        if speaker is None:
            raise SplitError(f"unknown speaker {name!r}; there are {', '.join(speakers)}")
        matches.append(speaker)
    if not matches:
        raise SplitError("no test speakers named")
    return sorted(set(matches))


def _speaks(speakers: Iterable[str]) -> Test:
    chosen = set(speakers)
    return lambda u: u.speaker in chosen


def _in_session(session: str) -> Test:
    return lambda u: u.session == session


def _at_place(places: dict[str, int], folds: int, fold: int) -> Test:
    return lambda u: places[u.id] % folds == fold


def _crossed(name: str, used: Sequence[Utterance], speakers: set[str], scripts: set[str]) -> Fold:
    """Return the fold that tests these speakers with these scripts and trains on those with neither."""
    train = tuple(u.id for u in used if u.speaker not in speakers and u.sentence not in scripts)
    test = tuple(u.id for u in used if u.speaker in speakers and u.sentence in scripts)
    return Fold(name=name, train=train, test=test)


def _split(kind: str, used: Sequence[Utterance], tests: Sequence[tuple[str, Test]], seed: int) -> Split:
    folds = [
        Fold(
            name=name,
            train=tuple(u.id for u in used if not tested(u)),
            test=tuple(u.id for u in used if tested(u)),
        )
        for name, tested in tests
    ]
    return _as_split(kind, used, folds, seed)


def _as_split(kind: str, used: Sequence[Utterance], folds: Sequence[Fold], seed: int) -> Split:
    for fold in folds:
        if not fold.train or not fold.test:
            part = "train on" if not fold.train else "test"
            raise SplitError(f"fold {fold.name!r} has nothing to {part}")
    speakers = {u.id: u.speaker for u in used}
    return Split(
        kind=kind,
        folds=tuple(folds),
        seed=seed,
        corpus=used[0].corpus,
        digest=utterances_digest(used),
        speakers_shared=kind == "random" or any(shares_speakers(fold, speakers) for fold in folds),
    )
