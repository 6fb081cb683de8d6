"""Run folders: reading and writing the model, history, metrics and checkpoint of one training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from overtone_cloud.errors import TrainingError
from overtone_common.files import BROKEN_ARRAYS, write_arrays, write_atomically
from overtone_models.description import description_from_json
from overtone_models.errors import ModelError
from overtone_models.trained_model import TrainedModel

MODEL, WEIGHTS, SPLIT, METRICS, HISTORY, CHECKPOINT = (
    "model.json",
    "weights.safetensors",
    "split.json",
    "metrics.json",
    "history.json",
    "checkpoint.npz",
)


Entry = dict[str, float]
"""One epoch of the history: `epoch`, `loss`, and where inner speakers were scored `inner_uar` and `inner_loss`."""
Report = Callable[[Entry], None]


class RunFolder:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_json(self, name: str, data: Any) -> None:
        """Write `data` as JSON, atomically."""
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
        """Write the state from which training resumes."""
        write_arrays(self.path / CHECKPOINT, arrays, error=TrainingError)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint's arrays, None when there is none."""
        try:
            with (self.path / CHECKPOINT).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            return None
        except BROKEN_ARRAYS as error:
            raise TrainingError(f"{self.path / CHECKPOINT} is broken: {error}; remove it to begin anew") from error


def progress_lines(say: Callable[[str], None], epochs: int, most: int) -> Report:
    """Return an epoch callback that passes at most `most` lines to `say`."""
    every = -(-epochs // most)

    def report(entry: Entry) -> None:
        if int(entry["epoch"]) % every == 0:
            say(f"epoch {int(entry['epoch'])} of {epochs}, {epoch_summary(entry)}")

    return report


def epoch_summary(entry: Entry) -> str:
    """Return an epoch's loss, and the UAR of the inner speakers where they were scored."""
    inner = f", inner UAR {100 * entry['inner_uar']:.1f} %" if "inner_uar" in entry else ""
    return f"loss {entry['loss']:.2f}{inner}"
