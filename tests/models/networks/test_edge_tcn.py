"""The edge network: Keras for training and the plain network for devices are the same arithmetic."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.networks import edge_tcn, tf

SPECS = {
    "separable": EdgeTcnSpec(n_features=12, n_classes=3, channels=8, kernel=3, dilations=(1, 2, 4)),
    "dense": EdgeTcnSpec(n_features=12, n_classes=3, channels=8, kernel=3, dilations=(1, 3), separable=False),
    "long stem": EdgeTcnSpec(n_features=6, n_classes=2, channels=4, dilations=(2,), stem_kernel=7, hop_frames=6),
    "short stem": EdgeTcnSpec(n_features=6, n_classes=2, channels=4, dilations=(1,), stem_kernel=2, hop_frames=2),
    "long stride": EdgeTcnSpec(n_features=6, n_classes=2, channels=4, dilations=(1, 2), stem_kernel=7, stem_stride=5),
    "two stages": EdgeTcnSpec(
        n_features=6, n_classes=2, channels=4, dilations=(1,), hop_frames=8, late_channels=6, late_dilations=(1, 2)
    ),
    "two dense stages": EdgeTcnSpec(
        **{"n_features": 6, "n_classes": 2, "channels": 4, "dilations": (2,), "separable": False, "kernel": 3},
        **{"hop_frames": 10, "late_channels": 6, "late_stride": 5, "late_dilations": (1,)},
    ),
    "step a hop": EdgeTcnSpec(
        n_features=6, n_classes=2, channels=4, dilations=(1,), stem_kernel=10, stem_stride=10, separable=False
    ),
}


@pytest.fixture(params=SPECS, scope="module")
def trained(request: pytest.FixtureRequest) -> tuple[EdgeTcnSpec, Any]:
    """A Keras model after two steps, so that its normalisation has statistics of its own."""
    spec = SPECS[request.param]
    tf.keras.utils.set_random_seed(1)
    model = edge_tcn.keras_model(spec, dropout=0.1)
    model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    frames = rng.normal(1.0, 2.0, (8, 4 * spec.hop_frames, spec.n_features)).astype(np.float32)
    model.fit([frames, np.ones((8, 4), np.float32)], rng.integers(0, spec.n_classes, 8), epochs=2, verbose=0)
    return spec, model


def utterances(spec: EdgeTcnSpec, lengths: tuple[int, ...], seed: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, spec.n_features)).astype(np.float32) for n in lengths]


def lengths_of(spec: EdgeTcnSpec) -> tuple[int, ...]:
    hop = spec.hop_frames
    return (hop, 2 * hop + 1, 7 * hop, 3 * hop - 1, 20 * hop)


def test_keras_equals_the_folded_plain_network_for_every_length(trained: tuple[EdgeTcnSpec, Any]) -> None:
    spec, model = trained
    clips = utterances(spec, lengths_of(spec))
    x, mask = edge_tcn.pad_utterances(clips, spec, 20 * spec.hop_frames)
    expected = model([x, mask], training=False).numpy()
    found = edge_tcn.logits(spec, edge_tcn.fold(model, spec), clips)
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-4)


def test_the_first_layer_takes_in_the_way_from_other_features(trained: tuple[EdgeTcnSpec, Any]) -> None:
    spec, model = trained
    fewer = replace(spec, n_features=spec.n_features - 2)
    basis = np.random.default_rng(5).normal(size=(fewer.n_features, spec.n_features)).astype(np.float32)
    clips = utterances(fewer, lengths_of(spec))
    found = edge_tcn.logits(fewer, edge_tcn.fold(model, fewer, basis), clips)
    expected = edge_tcn.logits(spec, edge_tcn.fold(model, spec), [clip @ basis for clip in clips])
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-3)


def test_padding_does_not_matter(trained: tuple[EdgeTcnSpec, Any]) -> None:
    spec, model = trained
    clips = utterances(spec, lengths_of(spec))
    weights = edge_tcn.fold(model, spec)
    together = edge_tcn.logits(spec, weights, clips)
    alone = np.concatenate([edge_tcn.logits(spec, weights, [clip]) for clip in clips])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    for frames in (20 * spec.hop_frames, 31 * spec.hop_frames):
        padded = model(list(edge_tcn.pad_utterances(clips, spec, frames)), training=False).numpy()
        np.testing.assert_allclose(padded, together, atol=2e-5, rtol=1e-4)


def test_frames_after_the_last_whole_hop_count_nothing(trained: tuple[EdgeTcnSpec, Any]) -> None:
    spec, model = trained
    weights = edge_tcn.fold(model, spec)
    (clip,) = utterances(spec, (4 * spec.hop_frames - 1,))
    np.testing.assert_allclose(
        edge_tcn.embeddings(spec, weights, [clip]),
        edge_tcn.embeddings(spec, weights, [clip[: 3 * spec.hop_frames]]),
        atol=1e-6,
    )


def test_hop_by_hop_with_states_equals_offline(trained: tuple[EdgeTcnSpec, Any]) -> None:
    spec, model = trained
    weights = edge_tcn.fold(model, spec)
    tensors = {name: tf.constant(value) for name, value in spec.layout.unflatten(weights).items()}
    clip = utterances(spec, (9 * spec.hop_frames,))[0][None]
    whole, after = edge_tcn.body(spec, tensors, tf.constant(clip), list(map(tf.constant, edge_tcn.zero_states(spec))))
    states, hops = [tf.constant(s) for s in edge_tcn.zero_states(spec)], []
    for part in np.split(clip, 9, axis=1):
        hop, states = edge_tcn.body(spec, tensors, tf.constant(part), states)
        hops.append(hop.numpy())
    np.testing.assert_allclose(np.concatenate(hops, 1), whole.numpy(), atol=1e-5)
    assert [tuple(s.shape[1:]) for s in states] == list(spec.state_shapes)
    for got, expected in zip(states, after, strict=True):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-5)


def test_network_is_causal(trained: tuple[EdgeTcnSpec, Any]) -> None:
    spec, model = trained
    tensors = {n: tf.constant(v) for n, v in spec.layout.unflatten(edge_tcn.fold(model, spec)).items()}
    states = [tf.constant(s) for s in edge_tcn.zero_states(spec)]
    clip = utterances(spec, (6 * spec.hop_frames,))[0][None]
    changed = clip.copy()
    changed[:, 4 * spec.hop_frames :] = 9.0
    hops = [edge_tcn.body(spec, tensors, tf.constant(x), states)[0].numpy() for x in (clip, changed)]
    np.testing.assert_array_equal(hops[0][:, :4], hops[1][:, :4])
    assert not np.allclose(hops[0][:, 4:], hops[1][:, 4:])


def test_masked_statistics_by_hand() -> None:
    hops = np.array([[[1.0, 2.0], [3.0, 2.0], [100.0, 100.0]]], np.float32)
    found = edge_tcn.masked_statistics(tf.constant(hops), tf.constant([[1.0, 1.0, 0.0]])).numpy()
    np.testing.assert_allclose(found, [[2.0, 2.0, np.sqrt(1.0 + 1e-4), np.sqrt(1e-4)]], rtol=1e-5)
    empty = edge_tcn.masked_statistics(tf.constant(hops), tf.zeros((1, 3))).numpy()
    assert np.isfinite(empty).all()


def test_embeddings_of_many_utterances_keep_their_order() -> None:
    spec = SPECS["separable"]
    rng = np.random.default_rng(0)
    weights = (0.3 * rng.normal(size=spec.layout.size)).astype(np.float32)
    clips = utterances(spec, tuple(int(n) for n in rng.integers(10, 60, 40)))
    found = edge_tcn.embeddings(spec, weights, clips, batch=7)
    expected = edge_tcn.embeddings(spec, weights, clips, batch=40)
    np.testing.assert_allclose(found, expected, atol=1e-5)
