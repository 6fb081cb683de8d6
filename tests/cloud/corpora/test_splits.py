"""Splits: disjoint where they claim it, complete, repeatable; refusals; the file."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone_cloud.corpora import Utterance, read_corpus
from overtone_cloud.corpora.splits import (
    KINDS,
    Split,
    at_random,
    by_session,
    by_speaker,
    by_speaker_and_script,
    emobox,
    hold_out,
    inner_speakers,
    leave_one_speaker_out,
    load_split,
    make_split,
)
from overtone_cloud.errors import SplitError

LABELS = ("neutral", "happy", "sad", "angry")


def corpus(speakers: int = 6, scripts: int = 4, takes: int = 1, name: str = "ravdess") -> list[Utterance]:
    return [
        Utterance(
            id=f"s{speaker:02}/{label}-{script}-{take}.wav",
            path=Path("x"),
            corpus=name,
            label=label,
            corpus_label=label,
            speaker=f"{speaker:02}",
            gender="male" if speaker % 2 else "female",
            sentence=str(script),
            session=str((speaker + 1) // 2),
        )
        for speaker in range(1, speakers + 1)
        for label in LABELS
        for script in range(scripts)
        for take in range(takes)
    ]


def covers_once(split: Split, utterances: list[Utterance]) -> bool:
    counts = Counter(i for fold in split.folds for i in fold.test)
    return counts == Counter(u.id for u in utterances if u.label)


def speakers_of(ids: tuple[str, ...]) -> set[str]:
    return {i.split("/")[0] for i in ids}


@st.composite
def corpora(draw: st.DrawFn) -> list[Utterance]:
    made = corpus(draw(st.integers(5, 12)), draw(st.integers(2, 4)))
    kept = [u for u in made if draw(st.booleans()) or u.sentence == "0"]
    return draw(st.permutations(kept)) if len(kept) < 60 else kept


@settings(max_examples=40, deadline=None)
@given(utterances=corpora(), folds=st.integers(2, 5), seed=st.integers(0, 1000))
def test_speaker_kinds_never_share_a_speaker(utterances: list[Utterance], folds: int, seed: int) -> None:
    for split in (by_speaker(utterances, folds=folds, seed=seed), leave_one_speaker_out(utterances)):
        assert covers_once(split, utterances)
        assert not split.speakers_shared
        for fold in split.folds:
            assert not speakers_of(fold.train) & speakers_of(fold.test)
            assert sorted(fold.train + fold.test) == sorted(u.id for u in utterances)
        split.check(utterances)


@settings(max_examples=40, deadline=None)
@given(utterances=corpora(), folds=st.integers(2, 5), seed=st.integers(0, 1000))
def test_random_is_stratified_and_says_so(utterances: list[Utterance], folds: int, seed: int) -> None:
    split = at_random(utterances, folds=folds, seed=seed)
    assert covers_once(split, utterances)
    label = {u.id: u.label for u in utterances}
    counts = [Counter(label[i] for i in fold.test) for fold in split.folds]
    for name in LABELS:
        numbers = [count[name] for count in counts]
        assert max(numbers) - min(numbers) <= 1
    sizes = [len(fold.test) for fold in split.folds]
    assert max(sizes) - min(sizes) <= 1
    assert "speakers shared" in split.describe()


@settings(max_examples=20, deadline=None)
@given(folds=st.integers(2, 5), script_folds=st.integers(2, 4), seed=st.integers(0, 1000))
def test_speaker_and_script_share_neither(folds: int, script_folds: int, seed: int) -> None:
    utterances = corpus()
    split = by_speaker_and_script(utterances, folds=folds, script_folds=script_folds, seed=seed)
    assert covers_once(split, utterances)
    sentence = {u.id: u.sentence for u in utterances}
    for fold in split.folds:
        assert not speakers_of(fold.train) & speakers_of(fold.test)
        assert not {sentence[i] for i in fold.train} & {sentence[i] for i in fold.test}


def test_order_of_utterances_does_not_matter_and_seed_does() -> None:
    utterances = corpus(12)
    assert by_speaker(utterances, seed=3) == by_speaker(utterances[::-1], seed=3)
    assert by_speaker(utterances, seed=3).folds != by_speaker(utterances, seed=4).folds
    assert at_random(utterances, seed=3) == at_random(utterances[::-1], seed=3)


@pytest.mark.parametrize(("speakers", "folds", "most"), [(12, 6, 1), (18, 6, 2), (18, 3, 3), (24, 4, 3), (10, 5, 1)])
def test_genders_are_spread_over_folds(speakers: int, folds: int, most: int) -> None:
    split = by_speaker(corpus(speakers), folds=folds)
    for fold in split.folds:
        counts = Counter(int(s[1:]) % 2 for s in speakers_of(fold.test))
        assert len(counts) == 2
        assert max(counts.values()) <= most


def test_only_the_words_that_hold() -> None:
    utterances = corpus()
    for kind in KINDS:
        if kind != "emobox":
            split = make_split(utterances, kind, folds=3, test_speakers=["1"])
            assert ("speakers shared" in split.describe()) == (kind == "random")


def test_sessions_are_tested_one_by_one() -> None:
    split = by_session(corpus(6))
    assert [fold.name for fold in split.folds] == ["session 1", "session 2", "session 3"]
    assert speakers_of(split.folds[0].test) == {"s01", "s02"}
    assert not split.speakers_shared


def test_sessions_that_share_speakers_say_so() -> None:
    utterances = [replace(u, session=u.sentence) for u in corpus(3, scripts=2)]
    assert "by session, speakers shared" in by_session(utterances).describe()


def test_emobox_folds_leave_out_absent_actors() -> None:
    split = emobox(corpus(18))
    tested = [sorted(speakers_of(fold.test)) for fold in split.folds]
    assert tested[0] == ["s01", "s11"]
    assert tested[3] == ["s03", "s05", "s07"]
    assert len(emobox(corpus(24)).folds) == 6
    with pytest.raises(SplitError, match="EmoBox folds 3 have none of their actors"):
        emobox(corpus(7))
    with pytest.raises(SplitError, match="ravdess only"):
        emobox(corpus(18, name="tess"))


def test_hold_out_takes_speakers_by_number() -> None:
    split = hold_out(corpus(6), ["5", "06"])
    assert speakers_of(split.folds[0].test) == {"s05", "s06"}
    assert speakers_of(split.folds[0].train) == {"s01", "s02", "s03", "s04"}


def test_inner_speakers_are_some_of_the_training_speakers() -> None:
    utterances = corpus(15)
    chosen = inner_speakers(utterances, fraction=0.2, seed=1)
    assert len(set(chosen)) == 3
    assert chosen == inner_speakers(utterances[::-1], fraction=0.2, seed=1)
    assert {inner_speakers(utterances, fraction=0.2, seed=seed) for seed in range(5)} != {chosen}
    assert len(inner_speakers(utterances, fraction=0.01)) == 1
    with pytest.raises(SplitError, match="15 inner speakers asked for, there are 15 training speakers"):
        inner_speakers(utterances, fraction=1.0)


def test_of_several_corpora_each_that_can_spares_its_share() -> None:
    def named(name: str, speakers: int) -> list[Utterance]:
        return [replace(u, speaker=f"{name}/{u.speaker}") for u in corpus(speakers)]

    several = [*named("large", 12), *named("small", 4), *named("two", 2)]
    for seed in range(8):
        chosen = Counter(speaker.split("/")[0] for speaker in inner_speakers(several, seed=seed))
        assert chosen == {"large": 2, "small": 1}
    few = [*named("three", 3), *named("two", 2)]
    assert len(inner_speakers(few)) == 1


def test_utterances_without_a_label_are_in_no_fold() -> None:
    utterances = corpus(4)
    utterances[0] = replace(utterances[0], label=None)
    split = by_speaker(utterances, folds=2)
    assert utterances[0].id not in {i for fold in split.folds for i in (*fold.train, *fold.test)}
    assert covers_once(split, utterances)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda u: by_speaker(u, folds=7), "6 speakers are too few for 7 folds"),
        (lambda u: by_speaker(u, folds=1), "at least 2"),
        (lambda u: by_speaker([]), "none of 0 utterances has a label"),
        (lambda u: by_speaker([replace(x, speaker=None) for x in u]), "have no speaker"),
        (lambda u: leave_one_speaker_out(u[:4]), "1 speakers are too few"),
        (lambda u: by_session([replace(x, session=None) for x in u]), "96 of 96 utterances have no session"),
        (lambda u: by_session([replace(x, session="1") for x in u]), "1 sessions are too few"),
        (
            lambda u: by_speaker_and_script([replace(x, sentence=None) for x in u]),
            "have no sentence or script",
        ),
        (lambda u: by_speaker_and_script(u, script_folds=5), "4 scripts are too few for 5 folds"),
        (lambda u: hold_out(u, ["9"]), "unknown speaker '9'; there are 01, 02"),
        (lambda u: hold_out(u, []), "no test speakers named"),
        (lambda u: hold_out(u, "123456"), "nobody is left to train on"),
        (lambda u: at_random(u, folds=97), "96 utterances are too few"),
        (lambda u: make_split(u, "moon"), "unknown kind of split 'moon'"),
    ],
)
def test_what_cannot_be_split(make: object, text: str) -> None:
    with pytest.raises(SplitError, match=text) as caught:
        make(corpus())  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "emobox"])
def test_file_brings_the_same_split_back(tmp_path: Path, kind: str) -> None:
    utterances = corpus()
    split = make_split(utterances, kind, folds=3, seed=5, test_speakers=["1"])
    split.save(tmp_path / "deep" / "split.json")
    again = load_split(tmp_path / "deep" / "split.json")
    assert again == split
    again.check(utterances)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["split.json"]
    assert again.fold("1") == again.folds[0]
    with pytest.raises(SplitError, match="no fold 'x'"):
        again.fold("x")


def test_split_of_another_corpus_is_refused() -> None:
    utterances = corpus()
    split = by_speaker(utterances, folds=3)
    with pytest.raises(SplitError, match="names 16 utterances that the corpus lacks"):
        split.check(utterances[16:])
    with pytest.raises(SplitError, match="another state of the corpus"):
        split.check([*utterances, replace(utterances[0], id="new.wav")])
    with pytest.raises(SplitError, match="another state of the corpus"):
        split.check([replace(utterances[0], label="sad"), *utterances[1:]])


def test_file_that_hides_shared_speakers_is_refused() -> None:
    utterances = corpus()
    split = replace(at_random(utterances, folds=3), speakers_shared=False)
    with pytest.raises(SplitError, match=r"fold .fold 1. shares some"):
        split.check(utterances)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": "x"}, "not a split"),
        ({"version": 2}, "version is 2, this software reads 1"),
        ({"kind": "moon"}, "kind is 'moon'"),
        ({"seed": "0"}, "seed is missing or not of type int"),
        ({"seed": True}, "seed is missing or not of type int"),
        ({"speakers_shared": 0}, "speakers_shared is missing"),
        ({"folds": []}, "folds is empty"),
        ({"folds": [3]}, "not a JSON object"),
        ({"folds": [{"name": "a", "train": [], "test": ["b"]}]}, "fold 'a': train must be a list"),
        ({"folds": [{"name": "a", "train": [1], "test": ["b"]}]}, "fold 'a': train must be a list"),
        ({"folds": [{"name": "a", "train": ["c", "c"], "test": ["b"]}]}, "train names an utterance twice"),
        ({"folds": [{"name": "a", "train": ["b"], "test": ["b"]}]}, "in train and test, one is b"),
        ({"digest": None}, "digest is missing"),
    ],
)
def test_broken_files_name_file_and_field(tmp_path: Path, change: dict[str, object], text: str) -> None:
    path = tmp_path / "split.json"
    by_speaker(corpus(), folds=3).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SplitError, match=text) as caught:
        load_split(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    with pytest.raises(SplitError, match="No such file"):
        load_split(path)
    for data in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        path.write_bytes(data)
        with pytest.raises(SplitError, match=r"not JSON|not a split"):
            load_split(path)
    path.write_text("[]")
    with pytest.raises(SplitError, match="not a split"):
        load_split(path)


@pytest.mark.data
def test_ravdess_of_eighteen_actors(speech_data: Path) -> None:
    utterances = read_corpus(speech_data / "ravdess").utterances
    assert [len(fold.test) for fold in emobox(utterances).folds] == [120, 240, 120, 180, 240, 180]
    split = hold_out(utterances, ["16", "17", "18"])
    assert (len(split.folds[0].train), len(split.folds[0].test)) == (900, 180)
    by_speaker_and_script(utterances).check(utterances)
