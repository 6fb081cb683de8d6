"""The trained networks as folders that `overtone convert` takes, with raw inputs to calibrate and test them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overtone_cloud.corpora.registry import CORPORA
from overtone_models.front_end import F32
from overtone_models.networks.papers import build
from overtone_models.window_model import CALIBRATION, TEST, WindowModel
from overtone_papers.common.saved_network import write_rows
from overtone_papers.fusion.data import Data, Inputs, padded
from overtone_papers.fusion.settings import LABELS

if TYPE_CHECKING:
    from overtone_papers.fusion.training import Trained

WINDOW_S, HOP_S = 0.032, 0.01
PREFERRED = ("EF-WS", "EF-PT", "EF-CS", "LF-PT", "LF-WS", "LF-CS")
"""Of several fusions of one architecture, the first of these is kept."""
FILES = ("window.json", CALIBRATION, TEST)


def kept_systems(systems: Mapping[str, Any] | tuple[str, ...]) -> dict[str, str]:
    """Return which of the trained systems is saved for each network: `{"d-audio": "audio", ...}`."""
    text = [name for name in systems if name != "audio" and "-" not in name]
    kept = {"d-audio": "audio"} | ({"d-text": text[0]} if text else {})
    for network, place in (("d-early", "EF"), ("d-late", "LF")):
        found = [name for name in PREFERRED if name in systems and name.startswith(place)]
        kept |= {network: found[0]} if found else {}
    return kept


def network_folder(folder: Path, network: str, corpus: str) -> Path:
    """Return where a corpus' network of one architecture lies."""
    return folder / f"{network}-{corpus}"


def save_networks(
    folder: Path, trained: "Mapping[str, Trained]", data: Data, arrays: Inputs, *, split: str, seed: int
) -> None:
    """Write one network of each architecture; `split` says what its test part is."""
    for network, system in kept_systems(trained).items():
        target = network_folder(folder, network, data.name)
        _model(trained[system], system, data, arrays, split, seed).save(target)
        _write_inputs(target, trained[system].sources, data, arrays, seed)


def _model(trained: "Trained", system: str, data: Data, arrays: Inputs, split: str, seed: int) -> WindowModel:
    source = CORPORA.get(data.utterances[0].corpus)
    scales = [_scale(name, data, arrays) for name in trained.sources]
    shapes = tuple(tuple(arrays.x[name][0].shape[1:]) for name in trained.sources)
    return WindowModel(
        network=trained.network,
        options=trained.options,
        labels=LABELS,
        features=tuple(_feature(name, data) for name in trained.sources),
        input_shapes=shapes,
        scale_mean=tuple(mean for mean, _ in scales),
        scale_std=tuple(std for _, std in scales),
        weights=weights_as_built(trained),
        lineage={
            "system": "D",
            "trained_as": system,
            "corpus": data.name,
            "corpus_digest": data.digest,
            "seed": seed,
            "padding": "frames and tokens that are zero after standardisation are masked: pad raw with the mean",
        },
        licence=source.licence if source else "unknown: that of the recordings it learned from",
        split=split,
        window_s=WINDOW_S + HOP_S * (shapes[0][0] - 1) if trained.sources[0] == "audio" else None,
    )


def weights_as_built(trained: "Trained") -> list[F32]:
    """Return the weights in the order of a freshly built network: frozen layers may have changed the model's."""
    fresh = build(trained.network, **trained.options)
    for layer in fresh.layers:
        layer.set_weights(trained.model.get_layer(layer.name).get_weights())
    return [np.asarray(array) for array in fresh.get_weights()]


def _feature(source: str, data: Data) -> dict[str, Any]:
    if source == "audio":
        return dict(data.features)
    return {"name": "text", "source": source, "width": int(data.tokens[source][0].shape[1])}


def _scale(source: str, data: Data, arrays: Inputs) -> tuple[F32, F32]:
    if source == "audio":
        return arrays.mean, arrays.std
    width = data.tokens[source][0].shape[1]
    return np.zeros(width, np.float32), np.ones(width, np.float32)


def _write_inputs(folder: Path, sources: tuple[str, ...], data: Data, arrays: Inputs, seed: int) -> None:
    """Write raw inputs of the training part for calibration, and of the test part with their classes."""
    write_rows(
        folder,
        train=arrays.rows[0],
        test=arrays.rows[1],
        inputs=lambda rows: _raw(sources, rows, data, arrays),
        classes=lambda rows: data.y[rows],
        seed=seed,
    )


def _raw(sources: tuple[str, ...], rows: Any, data: Data, arrays: Inputs) -> list[Any]:
    """Return each input's rows: padded with the mean where it is not zero, so that padding standardises to zero."""
    raw: list[Any] = []
    for source in sources:
        tracks = data.tracks if source == "audio" else data.tokens[source]
        length = arrays.x[source][0].shape[1]
        raw.append(padded([tracks[row] for row in rows], length, _scale(source, data, arrays)[0]))
    return raw
