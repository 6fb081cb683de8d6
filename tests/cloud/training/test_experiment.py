"""Who trains, who decides when to stop, who is tested: never the same speakers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.corpora.registry import read_corpus
from overtone_cloud.corpora.splits import make_split
from overtone_cloud.corpora.utterance import Reading
from overtone_cloud.errors import SplitError, TrainingError
from overtone_cloud.training.experiment import Plan, divide, load_plan, predict, read_features, save_plan, train_run
from overtone_cloud.training.features import Features
from overtone_cloud.training.run_folder import RunFolder
from overtone_cloud.training.settings import TrainSettings
from overtone_models.front_end import FrontEndSpec

SETTINGS = TrainSettings(size="S", inner_fraction=0.3)


@pytest.fixture(scope="module")
def reading(voices: Path) -> Reading:
    return read_corpus(voices)


@pytest.fixture(scope="module")
def features(voices: Path, cache: Path, reading: Reading) -> Features:
    split = make_split(reading.utterances, "speaker", folds=3)
    return read_features(Plan(corpus=voices, corpus_name=None, fold="1", split=split), cache=cache)[1]


def speakers(part: Features) -> set[str | None]:
    return {u.speaker for u in part.utterances}


@pytest.mark.parametrize("kind", ["speaker", "leave-one-speaker-out", "session", "speaker-script"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_three_parts_share_no_speaker(reading: Reading, features: Features, kind: str, seed: int) -> None:
    for fold in make_split(reading.utterances, kind, folds=3, seed=seed).folds:
        train, inner, test = divide(features, fold, replace(SETTINGS, seed=seed))
        assert not speakers(train) & speakers(inner)
        assert not (speakers(train) | speakers(inner)) & speakers(test)
        assert {u.id for u in (*train.utterances, *inner.utterances)} == set(fold.train)
        assert {u.id for u in test.utterances} == set(fold.test)


def test_inner_speakers_change_with_the_seed_only(reading: Reading, features: Features) -> None:
    fold = make_split(reading.utterances, "holdout", test_speakers=["spk01"]).folds[0]
    chosen = [speakers(divide(features, fold, replace(SETTINGS, seed=seed))[1]) for seed in (0, 0, *range(8))]
    assert chosen[0] == chosen[1]
    assert len({tuple(sorted(map(str, c))) for c in chosen}) > 1


def test_utterances_without_speakers_are_divided_at_random(features: Features, reading: Reading) -> None:
    nameless = Features(
        tuple(replace(u, speaker=None) for u in features.utterances), features.log_mels, FrontEndSpec(), features.gate
    )
    fold = make_split([replace(u, speaker=None) for u in reading.utterances], "random", folds=3).folds[0]
    train, inner, test = divide(nameless, fold, SETTINGS)
    assert len(inner) == round(0.3 * len(fold.train))
    ids = [{u.id for u in part.utterances} for part in (train, inner, test)]
    assert sum(map(len, ids)) == len(set.union(*ids)) == len(features)


def test_one_speaker_cannot_be_trainer_and_judge(features: Features, reading: Reading) -> None:
    fold = make_split(reading.utterances, "holdout", test_speakers=[f"spk0{n}" for n in range(1, 6)]).folds[0]
    with pytest.raises(SplitError, match="1 inner speakers asked for, there are 1 training speakers"):
        divide(features, fold, SETTINGS)


def test_a_plan_needs_one_fold(reading: Reading, voices: Path) -> None:
    split = make_split(reading.utterances, "speaker", folds=3)
    with pytest.raises(TrainingError, match="the split has 3 folds: choose one of fold 1, fold 2, fold 3"):
        _ = Plan(corpus=voices, corpus_name=None, fold=None, split=split).run_fold
    assert Plan(corpus=voices, corpus_name=None, fold="2", split=split).run_fold is split.folds[1]


def test_plan_round_trip_and_refusal_of_another(reading: Reading, voices: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    plan = Plan(corpus=voices, corpus_name="manifest", fold="fold 1", split=make_split(reading.utterances, "speaker"))
    save_plan(folder, plan, SETTINGS)
    save_plan(folder, plan, SETTINGS)
    assert load_plan(folder) == (plan, SETTINGS)
    assert load_plan(folder, Path("elsewhere"))[0].corpus == Path("elsewhere")
    other_split = replace(plan, split=make_split(reading.utterances, "speaker", folds=4))
    vary = replace(SETTINGS.augmentation, conditioned=0.25)
    for other, settings, what in (
        (plan, replace(SETTINGS, seed=1), r"\(settings\.seed is 0 there, 1 here\)"),
        (plan, replace(SETTINGS, augmentation=vary), r"settings\.augmentation\.conditioned is .* there, 0\.25 here"),
        (replace(plan, fold="2"), SETTINGS, r"\(fold is 'fold 1' there, 'fold 2' here\)"),
        (replace(plan, sounds=Path("sounds")), SETTINGS, r"\(sounds is None there, 'sounds' here\)"),
        (other_split, SETTINGS, r"\(split_digest is '\w+' there, '\w+' here\)"),
    ):
        with pytest.raises(TrainingError, match=f"holds a run with another split or other settings .*{what}"):
            save_plan(folder, other, settings)
    assert load_plan(folder) == (plan, SETTINGS)


def test_a_folder_by_another_path_is_the_same(
    reading: Reading, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    split = make_split(reading.utterances, "speaker")
    save_plan(folder, Plan(corpus=voices, corpus_name=None, fold="1", split=split, sounds=voices), SETTINGS)
    monkeypatch.chdir(voices.parent)
    here = Path(voices.name)
    save_plan(folder, Plan(corpus=here, corpus_name=None, fold="1", split=split, sounds=here / "."), SETTINGS)


def test_a_training_that_is_refused_leaves_its_folder_free(
    reading: Reading, voices: Path, cache: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    split = make_split(reading.utterances, "holdout", test_speakers=["spk02", "spk03", "spk04", "spk05", "spk06"])
    plan = Plan(corpus=voices, corpus_name=None, fold=None, split=split)
    with pytest.raises(SplitError, match="1 inner speakers asked for"):
        train_run(plan, SETTINGS, folder, cache=cache)
    assert not folder.path.exists()


def test_a_split_of_another_corpus(reading: Reading, voices: Path, cache: Path) -> None:
    part = [u for u in reading.utterances if u.speaker != "spk06"]
    plan = Plan(corpus=voices, corpus_name=None, fold="1", split=make_split(part, "speaker"))
    with pytest.raises(SplitError, match="another state of the corpus"):
        read_features(plan, cache=cache)


def test_training_checks_the_test_labels_first(
    reading: Reading, voices: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overtone_cloud.training import experiment, trainer

    split = make_split(reading.utterances, "holdout", test_speakers=["spk05", "spk06"])
    plan = Plan(corpus=voices, corpus_name=None, fold=None, split=split)
    real = experiment.read_features

    def without_angry(*args: Any, **more: Any) -> tuple[Reading, Features]:
        found, features = real(*args, **more)
        test = set(split.folds[0].test)
        return found, features.where([u.id for u in features.utterances if u.id in test or u.label != "angry"])

    monkeypatch.setattr(experiment, "read_features", without_angry)
    monkeypatch.setattr(trainer.Trainer, "run", lambda *_: pytest.fail("it trained"))
    with pytest.raises(TrainingError, match="label 'angry' is not one of the model's: neutral, sad"):
        experiment.train_run(plan, SETTINGS, RunFolder(tmp_path / "run"), cache=cache)


def test_features_of_another_front_end_are_refused(trained: Path, features: Features) -> None:
    model = RunFolder(trained).load_model()
    other = Features(features.utterances, features.log_mels, FrontEndSpec(fmin_hz=30.0), features.gate)
    with pytest.raises(TrainingError, match=r"features have front end \w{12}, the model \w{12}"):
        predict(model, other)
    probabilities = predict(model, features)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-5)
