"""The fusion paper's networks: sizes, padding that nothing hangs on, what each strategy trains, conversion."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from overtone_models.front_end import F32
from overtone_models.networks import tf
from overtone_models.networks.papers import build, fusion

SMALL = {
    "d-audio": {"frames": 30, "filters": 8},
    "d-text": {"tokens": 6, "width": 10, "filters": 7},
    "d-early": {"frames": 30, "tokens": 6, "width": 10, "audio_filters": 8, "text_filters": 7, "units": 9},
    "d-late": {"frames": 30, "tokens": 6, "width": 10, "audio_filters": 8, "text_filters": 7},
}


def small(name: str, **changes: Any) -> Any:
    tf.keras.utils.set_random_seed(0)
    return build(name, **{**SMALL[name], **changes})


def sequences(lengths: tuple[int, ...], length: int, width: int) -> F32:
    """Return normal noise of these lengths, followed by zeros."""
    x = np.zeros((len(lengths), length, width), np.float32)
    for row, n in enumerate(lengths):
        x[row, :n] = np.random.default_rng(row).normal(size=(n, width))
    return x


def given(name: str, frames: int = 30, tokens: int = 6) -> list[F32]:
    audio, text = sequences((12, 20, 30), frames, 36), sequences((1, 4, 6), tokens, 10)
    return {"d-audio": [audio], "d-text": [text]}.get(name, [audio, text])


def logits(model: Any, inputs: list[F32], *, training: bool = False) -> F32:
    return np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=training))


def test_parameters_add_up() -> None:
    """By hand: kernels, biases, four numbers a channel of batch normalisation."""
    audio = (5 * 36 + 1) * 104 + (5 * 104 + 1) * 104
    text = (768 + 1) * 128 + 2 * (3 * 128 + 1) * 128 + 3 * 4 * 128
    assert build("d-audio").count_params() == audio + (104 + 1) * 4 == 73_428
    assert build("d-text").count_params() == text + (128 + 1) * 4 == 199_044
    assert build("d-early").count_params() == audio + text + (232 + 1) * 128 + (128 + 1) * 4 == 301_876
    assert build("d-late").count_params() == audio + text + (105 + 129) * 4 + (8 + 1) * 4 == 272_508


def test_the_merged_embeddings_are_as_wide_as_the_papers() -> None:
    assert build("d-early").get_layer("merged").output.shape == (None, 232)
    assert build("d-late").get_layer("merged").output.shape == (None, 8)


@pytest.mark.parametrize("name", list(fusion.NETWORKS))
def test_it_ends_in_a_head_of_four_logits(name: str) -> None:
    model = small(name)
    assert model.layers[-1].name == "head"
    assert model.layers[-1].activation is tf.keras.activations.linear
    assert model.output.shape == (None, 4)


@pytest.mark.parametrize("name", list(fusion.NETWORKS))
@pytest.mark.parametrize("training", [False, True])
def test_longer_padding_changes_nothing(name: str, training: bool) -> None:
    """In training as well: padding is in no batch statistic (dropout is off here)."""
    off = {} if name == "d-text" else {"dropout": 0.0}
    longer = {key: value for key, value in {"frames": 50, "tokens": 11}.items() if key in SMALL[name]}
    short, long = small(name, **off), small(name, **off, **longer)
    long.set_weights(short.get_weights())
    expected = logits(short, given(name), training=training)
    np.testing.assert_allclose(logits(long, given(name, 50, 11), training=training), expected, atol=1e-5)
    assert np.abs(expected).max() > 1e-3


def test_nothing_but_padding_gives_finite_logits() -> None:
    assert np.isfinite(logits(small("d-early"), [np.zeros_like(x) for x in given("d-early")])).all()


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("pretrained", {"fusion", "head"}),
        ("warm", {"fusion", "head", "audio_conv1", "text_conv1", "text_norm2"}),
    ],
)
def test_a_strategy_trains_the_papers_layers(strategy: str, expected: set[str]) -> None:
    model = small("d-early")
    fusion.prepare(model, strategy)
    assert {layer.name for layer in model.layers if layer.trainable_variables} == expected
    fusion.prepare(model, "cold")
    assert len(model.trainable_variables) == len(small("d-early").trainable_variables)


def test_frozen_layers_stay_through_training() -> None:
    model = small("d-early")
    fusion.prepare(model, "warm")
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.compile(tf.keras.optimizers.Adam(0.01), tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(given("d-early"), np.array([0, 1, 2]), epochs=2, verbose=0)
    for layer in model.layers:
        if layer.get_weights():
            same = all(np.array_equal(a, b) for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
            assert same is (not layer.trainable), layer.name


@pytest.mark.parametrize("name", ["d-early", "d-late"])
def test_fusion_starts_from_its_branches(name: str) -> None:
    audio, text, fused = small("d-audio"), small("d-text"), small(name)
    tf.keras.utils.set_random_seed(5)
    audio.set_weights([w + np.float32(0.1) for w in audio.get_weights()])
    fusion.start_from(fused, audio, text)
    np.testing.assert_array_equal(fused.get_layer("audio_conv1").kernel, audio.get_layer("audio_conv1").kernel)
    merged, _ = fusion.halves(fused)
    if name == "d-late":
        ours = [logits(audio, given("d-audio")), logits(text, given("d-text"))]
        np.testing.assert_allclose(logits(merged, given(name)), np.concatenate(ours, 1), atol=1e-6)


@pytest.mark.parametrize("name", ["d-early", "d-late"])
def test_the_halves_are_the_network(name: str) -> None:
    fused = small(name)
    before, behind = fusion.halves(fused)
    np.testing.assert_allclose(logits(behind, [logits(before, given(name))]), logits(fused, given(name)), atol=1e-6)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match="strategy is 'hot', there are cold, pretrained, warm"):
        fusion.prepare(small("d-late"), "hot")


@pytest.mark.parametrize("name", ["d-audio", "d-text"])
def test_the_mask_converts(name: str) -> None:
    """The device's runtime masks the padding too, with operators it has."""
    model, (x,) = small(name), given(name)
    fixed = tf.keras.Input(batch_shape=(1, *x.shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(fixed, model(fixed)))
    runner = Interpreter(model_content=converter.convert())
    runner.allocate_tensors()
    found = []
    for row in x:
        runner.set_tensor(runner.get_input_details()[0]["index"], row[None])
        runner.invoke()
        found.append(runner.get_tensor(runner.get_output_details()[0]["index"])[0])
    np.testing.assert_allclose(np.stack(found), logits(model, [x]), atol=1e-5)
