"""A run folder: what is written is read again, and what is broken is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.errors import TrainingError
from overtone_cloud.training.run_folder import CHECKPOINT, MODEL, WEIGHTS, RunFolder
from overtone_models.calibration import Calibration
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.trained_model import TrainedModel


@pytest.fixture
def model() -> TrainedModel:
    spec = EdgeTcnSpec(n_classes=3, channels=4, dilations=(1, 2))
    rng = np.random.default_rng(0)
    return TrainedModel(
        network=spec,
        weights=rng.normal(size=spec.layout.size).astype(np.float32),
        labels=("neutral", "happy", "sad"),
        standardise_mean=rng.normal(size=40).astype(np.float32),
        standardise_scale=np.ones(40, np.float32),
        calibration=Calibration(temperature=1.5, threshold=0.25),
        lineage={"seed": "3"},
        licence="none",
    )


def test_model_round_trip(model: TrainedModel, tmp_path: Path) -> None:
    RunFolder(tmp_path).save_model(model)
    found = RunFolder(tmp_path).load_model()
    for name in ("weights", "standardise_mean", "standardise_scale"):
        np.testing.assert_array_equal(getattr(found, name), getattr(model, name))
    for name in ("network", "labels", "front_end", "gate", "calibration", "lineage", "licence"):
        assert getattr(found, name) == getattr(model, name)


def test_weights_have_names_in_safetensors(model: TrainedModel, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    RunFolder(tmp_path).save_model(model)
    tensors = load_file(tmp_path / WEIGHTS)
    assert set(tensors) == {t.name for t in model.network.layout.tensors} | {"standardise/mean", "standardise/scale"}


@pytest.mark.parametrize("field", ["network", "labels", "front_end", "calibration"])
def test_a_model_without_a_field(model: TrainedModel, tmp_path: Path, field: str) -> None:
    RunFolder(tmp_path).save_model(model)
    data = json.loads((tmp_path / MODEL).read_text())
    del data[field]
    (tmp_path / MODEL).write_text(json.dumps(data))
    with pytest.raises(TrainingError, match="holds no whole model"):
        RunFolder(tmp_path).load_model()


def test_weights_of_another_network(model: TrainedModel, tmp_path: Path) -> None:
    RunFolder(tmp_path).save_model(model)
    data = json.loads((tmp_path / MODEL).read_text())
    data["network"]["channels"] = 5
    (tmp_path / MODEL).write_text(json.dumps(data))
    with pytest.raises(TrainingError, match="tensor stem/w has shape"):
        RunFolder(tmp_path).load_model()


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff" * 100])
def test_broken_files(model: TrainedModel, tmp_path: Path, data: bytes) -> None:
    for name in (WEIGHTS, MODEL):
        RunFolder(tmp_path).save_model(model)
        (tmp_path / name).write_bytes(data)
        with pytest.raises(TrainingError):
            RunFolder(tmp_path).load_model()


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "new")
    assert folder.load_checkpoint() is None
    arrays = {"a": np.arange(3), "seed": np.array([1, 2], np.uint32)}
    folder.save_checkpoint(arrays)
    found = folder.load_checkpoint()
    assert found is not None
    assert set(found) == set(arrays)
    assert found["seed"].dtype == np.uint32
    assert [path.name for path in (tmp_path / "new").iterdir()] == [CHECKPOINT]


def test_json_without_numbers_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        RunFolder(tmp_path).write_json("x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []
