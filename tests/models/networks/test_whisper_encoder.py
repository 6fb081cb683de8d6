"""The Whisper encoder's first layers in Keras: a plain implementation's numbers, padding, options, refusals."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.whisper_encoders import SMALL, plain_layers, random_tensors, random_weights

from overtone_models.errors import ModelError
from overtone_models.features.whisper_log_mel import WhisperLogMelSpec
from overtone_models.front_end import F32
from overtone_models.networks import tf, whisper_encoder, window
from overtone_models.whisper_weights import WhisperShape, WhisperWeights

FEATURE = WhisperLogMelSpec(seconds=0.4)


def network(outputs: tuple[int, ...] = (2,), pooling: str = "mean-deviation", **changes: Any) -> Any:
    options = whisper_encoder.options(SMALL, n_classes=3, feature=FEATURE, outputs=outputs, pooling=pooling)
    model = window.build(whisper_encoder.NAME, **{**options, **changes})
    whisper_encoder.load(model, random_weights())
    return model


def windows(rows: int = 3, seconds: float = 0.4) -> F32:
    rng = np.random.default_rng(1)
    sounds = (0.1 * rng.normal(size=(rows, round(16_000 * seconds)))).astype(np.float32)
    return np.stack([FEATURE.compute(sound) for sound in sounds])


def pooled(steps: "np.ndarray[Any, Any]", deviation: bool = True) -> "np.ndarray[Any, Any]":
    mean = steps.mean(0)
    return np.concatenate([mean, np.sqrt(steps.var(0) + 1e-6)]) if deviation else mean


@pytest.mark.parametrize("outputs", [(1,), (2,), (3,), (1, 3)])
@pytest.mark.parametrize("pooling", whisper_encoder.POOLINGS)
def test_equal_to_a_plain_implementation(outputs: tuple[int, ...], pooling: str) -> None:
    x = windows()
    found = whisper_encoder.embeddings(network(outputs, pooling), x)
    for row, log_mel in zip(found, x, strict=True):
        layers = plain_layers(random_weights(), log_mel)
        expected = np.concatenate([pooled(layers[number - 1], pooling == "mean-deviation") for number in outputs])
        np.testing.assert_allclose(row, expected, atol=2e-5, rtol=2e-5)


def test_steps_without_sound_are_not_pooled() -> None:
    x = windows(rows=1, seconds=0.2)
    found = whisper_encoder.embeddings(network(), x)[0]
    sound = np.flatnonzero(np.ptp(x[0], axis=1))[-1] // 2 + 1
    assert 10 <= sound <= 12
    np.testing.assert_allclose(found, pooled(plain_layers(random_weights(), x[0])[1][:sound]), atol=2e-5, rtol=2e-5)


def test_a_silent_window_is_finite() -> None:
    silence = np.stack([FEATURE.compute(np.zeros(6_400, np.float32))])
    assert np.isfinite(whisper_encoder.embeddings(network(), silence)).all()


def test_any_batch_gives_the_same() -> None:
    x, model = windows(rows=5), network((2, 3))
    expected = whisper_encoder.embeddings(model, x)
    assert expected.shape == (5, 4 * SMALL.width)
    np.testing.assert_allclose(whisper_encoder.embeddings(model, x, batch=2), expected, atol=1e-5)
    assert whisper_encoder.embeddings(model, x[:0]).shape == (0, 4 * SMALL.width)


def test_only_the_head_is_trained_until_a_layer_is_set_free() -> None:
    model = network()
    assert [variable.path.split("/")[-2] for variable in model.trainable_variables] == ["head", "head"]
    before = model.get_weights()
    model.get_layer("layer2").trainable = True
    assert len(model.trainable_variables) == 10
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(windows(), training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(gradient).all() and np.abs(gradient).max() > 0 for gradient in gradients)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": 301}, r"frames is 301, limit is the even numbers 2\.\.3000"),
        ({"frames": "300"}, "frames is '300'"),
        ({"outputs": []}, r"outputs are \[\], they must be ascending numbers of layers from 1"),
        ({"outputs": [2, 1]}, r"outputs are \[2, 1\]"),
        ({"outputs": [0]}, r"outputs are \[0\]"),
        ({"pooling": "max"}, "pooling is 'max'; there are mean-deviation, mean"),
        ({"width": 10, "heads": 3}, "width is 10, it must be a multiple of its 3 heads"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        whisper_encoder.build(n_classes=3, **options)


def test_weights_of_another_encoder_are_refused() -> None:
    model = network()
    with pytest.raises(ModelError, match="takes 2 layers of a Whisper encoder, 1 were read"):
        whisper_encoder.load(model, random_weights(layers=1))
    with pytest.raises(ModelError, match="the network has 2 heads, the Whisper encoder 4"):
        whisper_encoder.load(model, replace(random_weights(), shape=replace(SMALL, heads=4)))
    long = window.build(whisper_encoder.NAME, n_classes=3, frames=60, width=16, heads=2, inner=24)
    with pytest.raises(ModelError, match=r"convolutions has shapes .*\(20, 16\)\], the network takes .*\(30, 16\)\]"):
        whisper_encoder.load(long, random_weights())


def test_weights_that_are_none() -> None:
    tensors = random_tensors()
    given = {"shape": SMALL, "layers": 2, "digest": "0" * 64}
    with pytest.raises(ModelError, match="4 layers of a Whisper encoder were asked for, it has 3"):
        WhisperWeights(**{**given, "layers": 4}, tensors=tensors)
    with pytest.raises(ModelError, match=r"lacks conv1\.bias"):
        WhisperWeights(**given, tensors={n: t for n, t in tensors.items() if n != "conv1.bias"})
    with pytest.raises(ModelError, match=r"conv1\.bias has shape \(3,\), its dimensions ask for \(16,\)"):
        WhisperWeights(**given, tensors={**tensors, "conv1.bias": np.zeros(3, np.float32)})
    with pytest.raises(ModelError, match=r"conv1\.bias holds a value that is not finite"):
        WhisperWeights(**given, tensors={**tensors, "conv1.bias": np.full(16, np.nan, np.float32)})
    with pytest.raises(ModelError, match="width 16 cannot have 3 heads"):
        replace(SMALL, heads=3)
    with pytest.raises(ModelError, match="layers is 0, limit is the whole numbers"):
        WhisperShape(layers=0)
