"""A run folder: everything one training leaves behind, and how it is read again."""

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from overtone_cloud.errors import TrainingError
from overtone_cloud.reports.files import write_arrays, write_atomically
from overtone_models.description import description_from_json
from overtone_models.errors import ModelError
from overtone_models.trained import TrainedModel

MODEL, WEIGHTS, SPLIT, METRICS, HISTORY, CHECKPOINT = (
    "model.json",
    "weights.safetensors",
    "split.json",
    "metrics.json",
    "history.json",
    "checkpoint.npz",
)


class RunFolder:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_json(self, name: str, data: Any) -> None:
        """Write `data` as JSON, whole or not at all."""
        text = json.dumps(data, indent=1, sort_keys=True, allow_nan=False)
        write_atomically(self.path / name, text.encode() + b"\n", error=TrainingError)

    def read_json(self, name: str) -> Any:
        """Return the JSON in `name`; raise TrainingError naming the file."""
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            raise TrainingError(f"{self.path} is no run folder: {name} is missing") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TrainingError(f"{self.path / name} cannot be read: {reason}") from error

    def save_model(self, model: TrainedModel) -> None:
        """Write the model: weights by name in safetensors, the rest in model.json."""
        tensors = {name: np.ascontiguousarray(v) for name, v in model.network.layout.unflatten(model.weights).items()}
        tensors["standardise/mean"] = model.standardise_mean
        tensors["standardise/scale"] = model.standardise_scale
        write_atomically(self.path / WEIGHTS, save_tensors(tensors), error=TrainingError)
        self.write_json(
            MODEL,
            model.to_json(),
        )

    def load_model(self) -> TrainedModel:
        """Return the model that `save_model` wrote; raise TrainingError for anything else."""
        data = self.read_json(MODEL)
        try:
            tensors = load_tensors((self.path / WEIGHTS).read_bytes())
            mean, scale = tensors.pop("standardise/mean"), tensors.pop("standardise/scale")
            described = description_from_json(data)
            network = described["network"].as_streaming()
            return TrainedModel(
                **{**described, "network": network},
                weights=network.layout.flatten(tensors),
                standardise_mean=mean,
                standardise_scale=scale,
            )
        except (OSError, AttributeError, KeyError, TypeError, ValueError, SafetensorError, ModelError) as error:
            raise TrainingError(f"{self.path} holds no whole model: {error}") from error

    def save_checkpoint(self, arrays: dict[str, Any]) -> None:
        """Write the state that training goes on from."""
        write_arrays(self.path / CHECKPOINT, arrays, error=TrainingError)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint's arrays, None when there is none."""
        try:
            with (self.path / CHECKPOINT).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            raise TrainingError(f"{self.path / CHECKPOINT} is broken: {error}; remove it to begin anew") from error
