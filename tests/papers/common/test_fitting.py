"""Training and its figures: curves, restored weights, seeds, scores against scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from overtone_cloud.errors import TrainingError
from overtone_models.networks import tf
from overtone_papers.common import fitting, scoring
from overtone_papers.common.pictures import Album, grid_png
from overtone_papers.common.report import History
from overtone_papers.common.study import Study

LABELS = ("neutral", "sad", "angry")
PNG = b"\x89PNG"


def blobs(n: int = 60, seed: int = 0) -> tuple[Any, Any]:
    """Return `(n, 4)` points around three centres and their classes."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = generator.normal(0, 0.3, (n, 4)).astype(np.float32)
    x[np.arange(n), y] += 2.0
    return x, y


def small(inputs: int = 1) -> Any:
    fitting.seed_all(1)
    given = [tf.keras.Input((4,)) for _ in range(inputs)]
    joined = given[0] if inputs == 1 else tf.keras.layers.Concatenate()(given)
    hidden = tf.keras.layers.Dense(8, activation="relu")(joined)
    return tf.keras.Model(given, tf.keras.layers.Dense(3, name="head")(hidden))


def train(model: Any, x: Any, y: Any, **changes: Any) -> History:
    given = {"epochs": 12, "batch": 16, "seed": 3, "optimizer": tf.keras.optimizers.Adam(0.02)}
    return fitting.fit(model, x, y, **{**given, **changes})


def test_fit_learns_and_keeps_one_value_an_epoch() -> None:
    x, y = blobs()
    history = train(small(), x, y, validation=blobs(30, seed=5))
    assert history.epochs == 12
    assert [len(c) for c in (history.loss, history.accuracy, history.val_loss, history.val_accuracy)] == [12] * 4
    assert history.loss[-1] < history.loss[0]
    assert history.val_accuracy[-1] > 0.9
    assert History(**history.to_json()) == history


def test_equal_seeds_give_equal_trainings() -> None:
    x, y = blobs()
    curves = [train(small(), x, y, epochs=3, seed=seed).loss for seed in (3, 3, 4)]
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


def test_patience_restores_the_best_weights() -> None:
    x, y = blobs()
    held_out = blobs(30, seed=5)
    wrong = (held_out[0], (held_out[1] + 1) % 3)
    model = small()
    history = train(model, x, y, validation=wrong, epochs=40, patience=2)
    assert history.epochs < 40
    assert history.best_epoch == int(np.argmin(history.val_loss)) + 1
    log_p = np.log(scoring.softmax(fitting.predict(model, wrong[0])))
    restored = -log_p[np.arange(30), wrong[1]].mean()
    assert restored == pytest.approx(min(history.val_loss), abs=1e-4)


def test_patience_without_validation_data_is_refused() -> None:
    x, y = blobs()
    with pytest.raises(TrainingError, match="val_loss"):
        train(small(), x, y, patience=2)


def test_soft_targets_and_several_inputs() -> None:
    x, y = blobs()
    model = small(inputs=2)
    history = train(model, [x, x], np.eye(3, dtype=np.float32)[y])
    assert history.accuracy[-1] > 0.9
    assert fitting.predict(model, [x, x]).shape == (60, 3)


def test_a_lost_loss_is_one_line() -> None:
    x, y = blobs()
    with pytest.raises(TrainingError, match="dense: the loss of epoch 1 is not finite"):
        train(small(), np.full_like(x, np.inf), y, name="dense")


def test_progress_names_epoch_and_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "LOG_EVERY_S", 0.0)
    x, y = blobs()
    lines: list[str] = []
    train(small(), x, y, epochs=2, name="dense", log=lines.append)
    assert lines[1].startswith("dense: epoch 2 of 2, loss ")


def test_class_weights_move_the_decision() -> None:
    x, y = blobs()
    x = np.zeros_like(x)
    weights = scoring.balanced_weights(y[y < 2], 3)
    assert weights == {0: 1.0, 1: 1.0, 2: 0.0}
    model = small()
    train(model, x, y, class_weights={0: 0.01, 1: 0.01, 2: 5.0})
    assert set(fitting.predict(model, x).argmax(1)) == {2}


def test_scores_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(200, 3)).astype(np.float32)
    y = generator.integers(0, 3, 200)
    found = scoring.scores(logits, y, LABELS)
    predicted = logits.argmax(1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted), abs=1e-6)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, predicted, average="macro"), abs=1e-6)
    assert found["macro_precision"] == pytest.approx(metrics.precision_score(y, predicted, average="macro"), abs=1e-6)
    assert found["uar"] == pytest.approx(metrics.balanced_accuracy_score(y, predicted), abs=1e-6)
    assert found["confusion"] == metrics.confusion_matrix(y, predicted).tolist()
    assert scoring.scores(predicted, y, LABELS) == found
    probabilities = scoring.softmax(logits)
    area = metrics.roc_auc_score(y, probabilities, multi_class="ovr", average="macro")
    assert scoring.auc_one_vs_rest(probabilities, y) == pytest.approx(area, abs=1e-6)


def test_a_class_without_samples_counts_in_no_mean() -> None:
    found = scoring.scores(np.array([0, 1, 1, 0]), np.array([0, 1, 1, 1]), LABELS)
    assert found["per_class"]["angry"] == {"recall": None, "precision": 0.0, "f1": None, "n": 0}
    assert found["uar"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    assert scoring.auc_one_vs_rest(np.ones((2, 3), np.float32), np.array([1, 1])) is None


def album(out: Path) -> Album:
    return Album(Study(system="C", readings={}, parts=(), out=out), "pictures")


def test_pictures_are_png(tmp_path: Path) -> None:
    history = History(name="lstm", loss=[2.0, 1.0], accuracy=[0.2, 0.5], val_loss=[2.0, 3.0], val_accuracy=[0.2, 0.3])
    rounds = {"loss": [2.0, 1.0], "accuracy": [0.2, 0.5], "val_accuracy": []}
    pictures = album(tmp_path)
    drawn = (
        pictures.curves("a", [history.to_json(), rounds], title="TESS", caption="Curves"),
        pictures.confusion("b", [[3, 0], [1, 2]], ("sad", "angry"), title="random"),
        pictures.lines(
            "c", {"dense": {1: 50.0, 2: 40.0}}, x_label="k", y_label="F1 (%)", title="F1", caption="F1 by k"
        ),
    )
    assert [(each.path, each.caption) for each in drawn] == [
        ("pictures/a.png", "Curves"),
        ("pictures/b.png", "random"),
        ("pictures/c.png", "F1 by k"),
    ]
    grid = grid_png(tmp_path / "d.png", [np.zeros((8, 8), np.float32)] * 5, title="epoch 1")
    assert all(path.read_bytes().startswith(PNG) for path in (*(tmp_path / each.path for each in drawn), grid))


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "a.png").mkdir(parents=True)
    with pytest.raises(TrainingError, match=r"a\.png: picture cannot be written"):
        album(tmp_path).confusion("a", [[1, 0], [0, 1]], ("sad", "angry"), title="random")
