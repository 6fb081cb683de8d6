"""Leaving one session or speaker group out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from overtone_cloud.corpora.utterance import Utterance
from overtone_cloud.errors import SplitError
from overtone_papers.common.data import InnerFold
from overtone_papers.valence.data import leave_one_group_out, speakers_of


def people(corpus: str, count: int, **fields: Any) -> list[Utterance]:
    made = []
    for number in range(count):
        gender = "female" if number % 2 else "male"
        session = {"session": str(number // 2)} if fields.get("sessions") else {}
        for clip in range(3):
            name = f"{corpus}-{number:02}-{clip}.wav"
            made.append(
                Utterance(
                    id=name,
                    path=Path(name),
                    corpus=corpus,
                    label="sad",
                    speaker=f"{number:02}",
                    gender=gender,
                    **session,
                )
            )
    return made


def speakers(utterances: list[Utterance], ids: tuple[str, ...]) -> set[str]:
    return set(speakers_of(utterances, ids))


def check(utterances: list[Utterance], folds: Sequence[InnerFold]) -> None:
    for fold in folds:
        parts = [speakers(utterances, part) for part in (fold.train, fold.inner, fold.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert len({*fold.train, *fold.inner, *fold.test}) == len(utterances)


def test_sessions_are_left_out_whole_and_one_speaker_validates() -> None:
    utterances = people("iemocap", 10, sessions=True)
    folds = leave_one_group_out(utterances)
    assert len(folds) == 5
    check(utterances, folds)
    for fold in folds:
        held = speakers(utterances, (*fold.inner, *fold.test))
        assert len({int(s[-2:]) // 2 for s in held}) == 1
        assert len(speakers(utterances, fold.test)) == len(speakers(utterances, fold.inner)) == 1
    tested = [speakers_of(utterances, f.test)[0] for f in folds]
    assert {int(name[-2:]) % 2 for name in tested} == {0, 1}


def test_without_sessions_groups_are_alike_in_gender() -> None:
    utterances = people("ravdess", 18)
    folds = leave_one_group_out(utterances)
    assert len(folds) == 5
    check(utterances, folds)
    for fold in folds:
        held = speakers(utterances, (*fold.inner, *fold.test))
        assert {int(s[-2:]) % 2 for s in held} == {0, 1}


def test_several_corpora_give_a_group_each_and_the_smallest_sets_their_number() -> None:
    utterances = [*people("ravdess", 18), *people("emodb", 8)]
    folds = leave_one_group_out(utterances)
    assert len(folds) == 4
    check(utterances, folds)
    tested = [speakers(utterances, fold.test) for fold in folds]
    assert all({name.split()[0] for name in own} == {"ravdess", "emodb"} for own in tested)


def test_too_many_groups_and_too_few_speakers_name_the_option() -> None:
    with pytest.raises(SplitError, match=r"emodb: 5 groups asked for.*2 to 4 groups.*--option groups=N"):
        leave_one_group_out(people("emodb", 8), groups=5)
    with pytest.raises(SplitError, match=r"tess: 2 speakers are too few.*--option unlabelled=PATH"):
        leave_one_group_out(people("tess", 2))
    nobody = [Utterance(id="a", path=Path("a"), corpus="folders", label="sad")]
    with pytest.raises(SplitError, match=r"1 of 1 utterances have no speaker"):
        leave_one_group_out(nobody)


def test_folds_do_not_hang_on_the_order() -> None:
    utterances = people("ravdess", 8)
    one = leave_one_group_out(utterances)
    other = leave_one_group_out(utterances[::-1])
    assert [set(f.test) for f in one] == [set(f.test) for f in other]
