"""Alternating updates, early stopping with the best weights, random search, claims."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.errors import ConfigError, TrainingError
from overtone_models.networks.papers.valence import SHAPES
from overtone_papers.common.options import read_options
from overtone_papers.valence.claims import Evidence, claims, difference
from overtone_papers.valence.data import Recording
from overtone_papers.valence.networks import Learner
from overtone_papers.valence.ratings import soft
from overtone_papers.valence.settings import KERNEL_SHARE, Recipe, Settings, draws, published, random_recipe
from overtone_papers.valence.training import Lesson, batches, train

TINY = {"width": 16, "kernel": 2, "filters": 4, "batch": 8, "learning_rate": 1e-2, "dense": 8}


def tiny(network: str, **changes: Any) -> Recipe:
    return Recipe(network=network, **{**TINY, **changes})


def recordings(ratings: np.ndarray, seed: int = 0) -> list[Recording]:
    """Return recordings whose level in one band of rows tells their rating."""
    generator = np.random.default_rng(seed)
    made = []
    for rating in ratings:
        spectrogram = generator.uniform(-80, -60, (128, 40))
        top = round(24 * (rating - 1))
        spectrogram[top : top + 24] += 60
        frames = np.arange(10, 30)
        made.append(
            Recording(
                spectrogram=spectrogram.astype(np.float16),
                spots=np.stack([frames, frames], 1),
                voiced=frames,
                by_words=False,
            )
        )
    return made


def lesson(*, free: bool, count: int = 40) -> Lesson:
    ratings = np.tile(np.arange(1.0, 6.0), count // 5)
    heard, held = recordings(ratings), recordings(ratings[:10], seed=9)
    validation = np.stack([r.crop(16, np.random.default_rng(0)) for r in held])[..., None]
    return Lesson(
        recordings=heard,
        valence=ratings,
        activation=6.0 - ratings,
        validation=validation,
        validation_valence=ratings[:10],
        unlabelled=heard if free else (),
    )


def weights(learner: Learner, layer: str) -> Any:
    return learner.network.get_layer(layer).get_weights()[0].copy()


def step(learner: Learner, *, free: bool = True) -> dict[str, float]:
    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, (8, 128, 16, 1)).astype(np.float32)
    y = soft(generator.uniform(1, 5, 8))
    losses, logits = learner.step(x, y, y, x if free else None)
    assert logits.shape == (8, 5)
    return losses


def test_a_step_updates_every_task_of_the_network() -> None:
    for network, tasks in (
        ("b-basic-cnn", {"valence"}),
        ("b-multitask-cnn", {"valence", "activation"}),
        ("b-basic-dcgan", {"valence", "real", "generator"}),
        ("b-multitask-dcgan", {"valence", "activation", "real", "generator"}),
    ):
        learner = Learner(tiny(network), 0)
        layers = ["conv1", "conv4", "embedding", "head", *({"activation", "real"} & tasks)]
        before = {layer: weights(learner, layer) for layer in layers}
        losses = step(learner, free="real" in tasks)
        assert set(losses) == tasks
        assert all((weights(learner, layer) != before[layer]).any() for layer in layers)


def test_losses_begin_where_nothing_is_known() -> None:
    losses = step(Learner(tiny("b-multitask-dcgan"), 0))
    assert losses["generator"] == pytest.approx(np.log(2), abs=0.2)
    assert losses["real"] == pytest.approx(2 * np.log(2), abs=0.2)
    assert losses["valence"] == pytest.approx(np.log(5), abs=0.3)


def test_equal_seeds_give_equal_weights() -> None:
    learners = [Learner(tiny("b-multitask-dcgan"), seed) for seed in (3, 3, 4)]
    for learner in learners:
        step(learner)
    one, same, other = (weights(learner, "conv1") for learner in learners)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_network_learns_and_its_best_epoch_is_restored(tmp_path: Path) -> None:
    recipe = tiny("b-multitask-dcgan", epochs=12, patience=12, learning_rate=5e-3)
    trained = train(lesson(free=True, count=60), recipe, 0, pictures=tmp_path)
    history = trained.history
    assert max(history.val_accuracy) > 0.5
    assert history.best_epoch == int(np.argmax(history.val_accuracy)) + 1
    given = lesson(free=True)
    answers = trained.probabilities(given.validation).argmax(1)
    assert (answers == given.validation_valence - 1).mean() == pytest.approx(max(history.val_accuracy))
    assert set(trained.others) == {"activation", "real", "generator"}
    pictures = sorted(tmp_path.glob("epoch-*.png"))
    assert len(pictures) == history.epochs
    assert pictures[0].read_bytes().startswith(b"\x89PNG")


def test_training_stops_after_epochs_that_are_not_better() -> None:
    recipe = tiny("b-basic-cnn", epochs=30, patience=2, learning_rate=1e-7)
    history = train(lesson(free=False), recipe, 0).history
    assert history.best_epoch is not None
    assert history.epochs == history.best_epoch + 2


def test_a_lost_loss_ends_in_one_line() -> None:
    given = lesson(free=False)
    for recording in given.recordings:
        recording.spectrogram[:] = np.nan
    with pytest.raises(TrainingError, match="is not finite: lower the learning rate"):
        train(given, tiny("b-basic-cnn", epochs=1), 0)


def test_batches_are_full_and_capped() -> None:
    given, generator = lesson(free=True), np.random.default_rng(0)
    whole = list(batches(given, tiny("b-basic-dcgan", batch=16), generator))
    assert len(whole) == 3
    assert all(len(x) == 16 and free is not None and free.shape == x.shape for x, _, _, free in whole)
    assert len(list(batches(given, tiny("b-basic-dcgan", batch=16, epoch_samples=16), generator))) == 1


def test_draws_lie_in_the_papers_ranges_and_are_repeatable() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        made = random_recipe("b-basic-cnn", generator)
        assert made.width in (64, 128)
        assert 2 <= made.kernel <= made.width // KERNEL_SHARE
        assert made.filters in range(32, 91, 4)
        assert made.batch in (64, 128, 256)
        assert made.learning_rate in (1e-3, 1e-4, 1e-5)
    one, other = draws("b-basic-dcgan"), draws("b-basic-dcgan")
    first = [next(one) for _ in range(20)]
    assert first == [next(other) for _ in range(20)]
    assert len(set(first)) == 20
    cheap = draws("b-basic-dcgan", most=1e11)
    assert all((s := next(cheap)).batch * s.multiply_adds <= 1e11 for _ in range(5))
    with pytest.raises(ConfigError, match=r"b-basic-dcgan: 0 settings lie within --option trial-cost"):
        next(draws("b-basic-dcgan", most=1.0))


def test_published_settings_are_table_1_and_quick_ones_cost_less() -> None:
    found = {n: (s.width, s.learning_rate, s.batch, s.kernel, s.filters) for n in SHAPES if (s := published(n))}
    assert found == {
        "b-basic-cnn": (128, 1e-4, 64, 15, 84),
        "b-multitask-cnn": (64, 1e-3, 128, 8, 32),
        "b-basic-dcgan": (128, 1e-4, 64, 9, 72),
        "b-multitask-dcgan": (64, 1e-4, 128, 6, 88),
    }
    quick = published("b-basic-cnn").within(4e12, 1200)
    assert quick.epochs == 3
    assert quick.epoch_samples is not None
    assert quick.epoch_samples % 64 == 0
    assert quick.epochs * quick.epoch_samples * quick.multiply_adds < 5e12
    assert quick.shape == published("b-basic-cnn").shape
    assert Recipe(**quick.to_json()) == quick


def test_options_shape_a_recipe_and_are_checked_in_one_line(tmp_path: Path) -> None:
    given = {"networks": "b-basic-cnn", "unlabelled": str(tmp_path), "epochs": "2", "epoch_samples": "64"}
    chosen = read_options(Settings, given)
    assert chosen.unlabelled == (tmp_path,)
    recipe = chosen.applied(published("b-basic-cnn"), whole_pass=100, quick=True)
    assert (recipe.epochs, recipe.epoch_samples) == (2, 64)
    for name, text, message in (
        ("networks", "b-lstm", "is 'b-lstm'; it takes b-basic-cnn"),
        ("groups", "1", "is 1, limit is 2..100"),
        ("unlabelled", "/nowhere/at/all", "is '/nowhere/at/all'; /nowhere/at/all is not a folder"),
    ):
        with pytest.raises(ConfigError, match=re.escape(f"option {name} {message}")):
            read_options(Settings, {name: text})


def results(network: str, shares: list[float]) -> list[dict[str, Any]]:
    figures = {"acc3": 0.5, "rho": 0.2, "chance5": 0.2, "chance3": 0.333}
    return [
        {"network": network, "fold": f"group {i}", "seed": 0, "figures": {**figures, "acc5": share, "rho": share}}
        for i, share in enumerate(shares)
    ]


def test_claims_hold_fail_or_cannot_be_told() -> None:
    found = {
        "b-basic-cnn": results("b-basic-cnn", [0.30, 0.31, 0.29, 0.30]),
        "b-basic-dcgan": results("b-basic-dcgan", [0.40, 0.42, 0.39, 0.41]),
        "b-multitask-cnn": results("b-multitask-cnn", [0.50, 0.51, 0.49, 0.50]),
        "b-multitask-dcgan": results("b-multitask-dcgan", [0.30, 0.55, 0.45, 0.40]),
    }
    evidence = Evidence(results=found, unlabelled_hours=0.4, rated=False)
    read = claims(evidence, quick=False)
    verdicts = {c.claim: c.holds for c in read}
    assert verdicts["the DCGAN's unlabelled speech improves the CNN"] is True
    assert verdicts["activation as a second task does not help the CNN"] is False
    assert verdicts["nor does it help the DCGAN"] is None
    assert verdicts["valence in five and three classes"] is None
    assert verdicts["BasicDCGAN's expected valence correlates with the ratings"] is True
    quick = claims(evidence, quick=True)
    assert all(c.holds is None and "quick run" in c.ours for c in quick)


def test_one_pair_of_trainings_tells_nothing() -> None:
    one = {"a": results("a", [0.5]), "b": results("b", [0.2])}
    made = difference(one, "a", "b")
    assert made is not None
    assert made.verdict is None
    assert made.mean == pytest.approx(30.0)
    assert difference(one, "a", "c") is None
    assert replace(made, error=1.0, pairs=5).verdict is True
