"""The walk of docs/extending-network.md: a new network is registered, trained, converted and listens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overtone_cloud.synthesis import Voice, synthesise
from overtone_converters.window_build import build_window_bundle
from overtone_converters.window_network import load_network
from overtone_converters.window_verify import verify_window
from overtone_edge.hearing.streaming import open_recogniser
from overtone_models.bundle import read_bundle
from overtone_models.features.registry import spec_from_json
from overtone_models.front_end import F32
from overtone_models.networks import tf, window
from overtone_models.window_model import CALIBRATION, TEST, WindowModel

LABELS = ("sad", "angry")
FEATURE = {"name": "log-mel", "n_mels": 16, "seconds": 1.0}


def toy(width: int = 8) -> Any:
    """Return a small convolutional network over one second of log-mel."""
    inputs = tf.keras.Input((16, 32))
    hidden = tf.keras.layers.Conv1D(width, 3, activation="relu")(inputs)
    embedding = tf.keras.layers.GlobalAveragePooling1D()(hidden)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(len(LABELS), name="head")(embedding))


def voice(number: int, label: str) -> F32:
    return synthesise(Voice.of(number), label, 1.0, np.random.default_rng(number))


def trained(folder: Path, x: F32, y: "np.ndarray[Any, Any]") -> None:
    """Train the network on `(rows, *shape)` features and store it as conversion reads it."""
    tf.keras.utils.set_random_seed(0)
    keras = window.build("toy", width=8)
    mean, std = x.mean((0, 1), keepdims=True)[0], x.std((0, 1), keepdims=True)[0]
    optimizer, scaled = tf.keras.optimizers.Adam(0.02), (x - mean) / std
    for _ in range(40):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, keras(scaled, training=True))
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, keras.trainable_variables), keras.trainable_variables)
    assert float(loss) < 0.2
    WindowModel(
        network="toy",
        options={"width": 8},
        labels=LABELS,
        features=(FEATURE,),
        input_shapes=(x.shape[1:],),
        scale_mean=(mean,),
        scale_std=(std,),
        weights=keras.get_weights(),
        licence="none: synthetic voices",
    ).save(folder)
    np.savez(folder / CALIBRATION, x0=x)
    np.savez(folder / TEST, x0=x, y=y)


def test_a_new_network_trains_converts_and_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(window.BUILDERS, "toy", toy)
    spoken = [(number, place) for number in range(12) for place in range(len(LABELS))]
    feature = spec_from_json(FEATURE)
    x = np.stack([feature.compute(voice(number, LABELS[place])) for number, place in spoken])
    y = np.array([place for _, place in spoken])
    trained(tmp_path, x, y)
    network = load_network(tmp_path)
    clip = np.concatenate([voice(0, label) for label in LABELS])
    bundle = read_bundle(build_window_bundle(network, clip, name="toy", version=1).bundle)
    assert not verify_window(bundle, network).failures()
    recogniser = open_recogniser(bundle)
    for number in range(4):
        for place, label in enumerate(LABELS):
            recogniser.process(voice(number, label))
            hop = recogniser.end()
            assert hop is not None and hop.probabilities.argmax() == place
