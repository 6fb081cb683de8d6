"""Making folds: by speaker, session, script, named test speakers, or at random.

All makers use the labelled utterances of one corpus, and every one of those is tested at most once.
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

SPARING = 4
"""A corpus of fewer speakers spares none to choose by: one of TESS' two is half of it, and outweighs all others."""

Test = Callable[[Utterance], bool]


def by_speaker(utterances: Sequence[Utterance], *, folds: int = 5, seed: int = 0) -> Split:
    """Return `folds` folds with disjoint test speakers, alike in number and gender."""
    used = _usable(utterances)
    speakers = _speakers(used)
    _enough("speakers", len(speakers), folds)
    groups = _deal(_mixed(used, seed), folds)
    return _split("speaker", used, [(f"fold {i + 1}", _speaks(group)) for i, group in enumerate(groups)], seed)


def leave_one_speaker_out(utterances: Sequence[Utterance]) -> Split:
    """Return one fold a speaker, who is the only one tested in it."""
    used = _usable(utterances)
    speakers = _speakers(used)
    _enough("speakers", len(speakers), 2)
    return _split("leave-one-speaker-out", used, [(f"speaker {s}", _speaks([s])) for s in speakers], 0)


def emobox(utterances: Sequence[Utterance]) -> Split:
    """Return the six EmoBox folds of RAVDESS; actors that are not there are left out of their fold."""
    used = _usable(utterances)
    if any(u.corpus != "ravdess" for u in used):
        raise SplitError(f"EmoBox folds are known for ravdess only, this corpus is {used[0].corpus}")
    there = set(_speakers(used))
    absent = [str(i + 1) for i, actors in enumerate(EMOBOX_FOLDS) if not there & set(actors)]
    if absent:
        raise SplitError(f"EmoBox folds {', '.join(absent)} have none of their actors in this corpus")
    return _split("emobox", used, [(f"fold {i + 1}", _speaks(a)) for i, a in enumerate(EMOBOX_FOLDS)], 0)


def by_session(utterances: Sequence[Utterance]) -> Split:
    """Return one fold a session, which is the only one tested in it.

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
    """Return `folds * script_folds` folds in which neither speaker nor script was heard in training.

    Utterances that share only one of the two with the test are in neither part of a fold.
    """
    used = _usable(utterances)
    without = sum(1 for u in used if u.sentence is None)
    if without:
        raise SplitError(f"{without} of {len(used)} utterances have no sentence or script")
    scripts = sorted({str(u.sentence) for u in used})
    _enough("speakers", len(_speakers(used)), folds)
    _enough("scripts", len(scripts), script_folds)
    shuffled = [scripts[i] for i in np.random.default_rng(seed).permutation(len(scripts))]
    made = [
        _crossed(f"speakers {i + 1}, scripts {j + 1}", used, set(who), set(what))
        for i, who in enumerate(_deal(_mixed(used, seed), folds))
        for j, what in enumerate(_deal(shuffled, script_folds))
    ]
    return _finished("speaker-script", used, made, seed)


def at_random(utterances: Sequence[Utterance], *, folds: int = 5, seed: int = 0) -> Split:
    """Return `folds` folds stratified by label; training and test share speakers, so figures flatter."""
    used = _labelled(utterances)
    _enough("utterances", len(used), folds)
    generator = np.random.default_rng(seed)
    dealt: dict[str, int] = {}
    for label in sorted({str(u.label) for u in used}):
        ids = [u.id for u in used if u.label == label]
        dealt |= {ids[i]: len(dealt) + n for n, i in enumerate(generator.permutation(len(ids)))}
    tests: list[tuple[str, Test]] = [(f"fold {k + 1}", _dealt_to(dealt, folds, k)) for k in range(folds)]
    return _split("random", used, tests, seed)


def hold_out(utterances: Sequence[Utterance], speakers: Iterable[str]) -> Split:
    """Return one fold that tests the named speakers; `16` also names a speaker `016`."""
    used = _usable(utterances)
    named = _named(speakers, _speakers(used))
    if len(named) == len(_speakers(used)):
        raise SplitError(f"all {len(named)} speakers are test speakers: nobody is left to train on")
    return _split("holdout", used, [("holdout", _speaks(named))], 0)


def inner_speakers(utterances: Sequence[Utterance], *, fraction: float = 0.15, seed: int = 0) -> tuple[str, ...]:
    """Return speakers to set aside within a training part (early stopping, calibration), sorted.

    Their number is `fraction` of the speakers rounded, at least one; genders alternate. Of several corpora, whose
    speakers are called `corpus/name`, each gives its own share, since one may fit another badly; one of fewer than
    `SPARING` speakers gives none while another can.
    """
    used = _usable(utterances)
    sparing = [own for own in by_corpus(used).values() if len(_speakers(own)) >= SPARING] or [used]
    return tuple(sorted(name for own in sparing for name in _some_speakers(own, fraction, seed)))


def _some_speakers(used: Sequence[Utterance], fraction: float, seed: int) -> Sequence[str]:
    mixed = _mixed(used, seed)
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
    """Return a split of any of `KINDS`; arguments that the kind has no use for are ignored."""
    makers: dict[str, Callable[[], Split]] = {
        "speaker": lambda: by_speaker(utterances, folds=folds, seed=seed),
        "leave-one-speaker-out": lambda: leave_one_speaker_out(utterances),
        "emobox": lambda: emobox(utterances),
        "session": lambda: by_session(utterances),
        "speaker-script": lambda: by_speaker_and_script(utterances, folds=folds, script_folds=script_folds, seed=seed),
        "random": lambda: at_random(utterances, folds=folds, seed=seed),
        "holdout": lambda: hold_out(utterances, test_speakers),
    }
    if kind not in makers:
        raise SplitError(f"unknown kind of split {kind!r}; there are {', '.join(KINDS)}")
    return makers[kind]()


def _labelled(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Return the utterances with a label, sorted by id, so that folds do not hang on the order."""
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


def _mixed(used: Sequence[Utterance], seed: int) -> list[str]:
    """Return the speakers in random order, genders taking turns, so that any run of them is mixed."""
    generator = np.random.default_rng(seed)
    genders = {str(u.speaker): u.gender or "" for u in used}
    by_gender = {g: sorted(s for s in genders if genders[s] == g) for g in sorted(set(genders.values()))}
    places: list[tuple[float, str]] = []
    for group in by_gender.values():
        order = generator.permutation(len(group))
        places.extend(((place + 0.5) / len(group), group[i]) for place, i in enumerate(order))
    return [speaker for _, speaker in sorted(places)]


def _deal(things: Sequence[str], hands: int) -> list[list[str]]:
    """Return `hands` runs of nearly equal length: every second or third of `_mixed` speakers may be of one gender."""
    ends = [len(things) * hand // hands for hand in range(hands + 1)]
    return [list(things[start:end]) for start, end in pairwise(ends)]


def _named(names: Iterable[str], speakers: list[str]) -> list[str]:
    """Return the speakers meant by `names`; a number may lack its leading zeros."""
    short = {s.lstrip("0") if s.isdigit() else s: s for s in speakers}
    found = []
    for name in names:
        speaker = name if name in speakers else short.get(name.lstrip("0") if name.isdigit() else name)
        if speaker is None:
            raise SplitError(f"unknown speaker {name!r}; there are {', '.join(speakers)}")
        found.append(speaker)
    if not found:
        raise SplitError("no test speakers named")
    return sorted(set(found))


def _speaks(speakers: Iterable[str]) -> Test:
    chosen = set(speakers)
    return lambda u: u.speaker in chosen


def _in_session(session: str) -> Test:
    return lambda u: u.session == session


def _dealt_to(dealt: dict[str, int], folds: int, fold: int) -> Test:
    return lambda u: dealt[u.id] % folds == fold


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
    return _finished(kind, used, folds, seed)


def _finished(kind: str, used: Sequence[Utterance], folds: Sequence[Fold], seed: int) -> Split:
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
