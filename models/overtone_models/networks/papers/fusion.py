"""The networks of the acoustic and text fusion paper (system D): variable-length tracks, padded, -> 4 logits.

A frame or token of zeros only is padding: it affects neither the batch statistics, nor a neighbour through a
convolution, nor the mean, so the logits do not depend on the length of the padding. Standardise first, then pad (or pad
raw tracks with their mean). The mask is computed inside the graph and converted with it. The paper's text gives no
kernels, and no widths but 128 and 232 = 104 + 128: they are options.
"""

from collections.abc import Callable
from typing import Any

from overtone_models.networks import tf

AUDIO_FEATURES, BERT_WIDTH = 36, 768
AUDIO_FILTERS, TEXT_FILTERS = 104, 128
FUSION_UNITS, CLASSES = 128, 4
STRATEGIES = ("cold", "pretrained", "warm")
BEFORE_POOLING = ("audio_conv1", "text_conv1", "text_norm2")
"""The layers right before the mean over time (the text's with its batch normalisation): a warm start trains these
too."""
AFTER_MERGING = ("fusion", "head")


@tf.keras.utils.register_keras_serializable("overtone")
class FrameMask(tf.keras.layers.Layer):  # type: ignore[misc]
    """`(batch, steps)`: 1 where any of a step's features differs from zero, 0 for padding."""

    def call(self, x: Any) -> Any:
        """Return the mask of `(batch, steps, features)`."""
        return tf.cast(tf.reduce_any(tf.not_equal(x, 0.0), -1), tf.float32)


@tf.keras.utils.register_keras_serializable("overtone")
class Masked(tf.keras.layers.Layer):  # type: ignore[misc]
    """Zeroes the steps outside the mask, so that a convolution sees what it would see without padding."""

    supports_masking = True

    def compute_mask(self, _inputs: Any, _mask: Any = None) -> None:
        """Return None: Keras' own mask, which batch normalisation passes on, is not needed any further."""

    def call(self, inputs: Any) -> Any:
        """Return `(batch, steps, features)` times `(batch, steps)`."""
        x, mask = inputs
        return x * tf.expand_dims(mask, -1)


@tf.keras.utils.register_keras_serializable("overtone")
class MaskedMean(tf.keras.layers.Layer):  # type: ignore[misc]
    """Mean over the steps that the mask keeps: `(batch, features)`; zeros where it keeps none."""

    supports_masking = True

    def compute_mask(self, _inputs: Any, _mask: Any = None) -> None:
        """Return None: the output has no steps."""

    def call(self, inputs: Any) -> Any:
        """Return the mean of `(batch, steps, features)` under `(batch, steps)`."""
        x, mask = inputs
        count = tf.maximum(tf.reduce_sum(mask, 1, keepdims=True), 1.0)
        return tf.reduce_sum(x * tf.expand_dims(mask, -1), 1) / count


def audio(
    *,
    frames: int = 400,
    features: int = AUDIO_FEATURES,
    filters: int = AUDIO_FILTERS,
    kernel: int = 5,
    dropout: float = 0.5,
    classes: int = CLASSES,
) -> Any:
    """Return the audio network: convolution, dropout, convolution, mean over time, head."""
    inputs = tf.keras.Input((frames, features), name="audio")
    mean = _audio_branch(inputs, filters, kernel, dropout)
    return tf.keras.Model(inputs, _dense(classes, "head", mean), name="d_audio")


def text(
    *,
    tokens: int = 32,
    width: int = BERT_WIDTH,
    filters: int = TEXT_FILTERS,
    kernel: int = 3,
    classes: int = CLASSES,
) -> Any:
    """Return the text network: dense, two convolutions, each with batch normalisation, mean over tokens, head."""
    inputs = tf.keras.Input((tokens, width), name="text")
    mean = _text_branch(inputs, filters, kernel)
    return tf.keras.Model(inputs, _dense(classes, "head", mean), name="d_text")


def early(
    *,
    frames: int = 400,
    features: int = AUDIO_FEATURES,
    tokens: int = 32,
    width: int = BERT_WIDTH,
    audio_filters: int = AUDIO_FILTERS,
    text_filters: int = TEXT_FILTERS,
    audio_kernel: int = 5,
    text_kernel: int = 3,
    dropout: float = 0.5,
    units: int = FUSION_UNITS,
    classes: int = CLASSES,
) -> Any:
    """Return early fusion of `[audio, text]`: the two means side by side (232), a dense layer, head."""
    sound, words = tf.keras.Input((frames, features), name="audio"), tf.keras.Input((tokens, width), name="text")
    means = [_audio_branch(sound, audio_filters, audio_kernel, dropout), _text_branch(words, text_filters, text_kernel)]
    merged = tf.keras.layers.Concatenate(name="merged")(means)
    hidden = tf.keras.layers.Dense(units, activation="relu", name="fusion")(merged)
    return tf.keras.Model([sound, words], _dense(classes, "head", hidden), name="d_early")


def late(
    *,
    frames: int = 400,
    features: int = AUDIO_FEATURES,
    tokens: int = 32,
    width: int = BERT_WIDTH,
    audio_filters: int = AUDIO_FILTERS,
    text_filters: int = TEXT_FILTERS,
    audio_kernel: int = 5,
    text_kernel: int = 3,
    dropout: float = 0.5,
    classes: int = CLASSES,
) -> Any:
    """Return late fusion of `[audio, text]`: both networks' logits side by side (8), head."""
    sound, words = tf.keras.Input((frames, features), name="audio"), tf.keras.Input((tokens, width), name="text")
    logits = [
        _dense(classes, "audio_logits", _audio_branch(sound, audio_filters, audio_kernel, dropout)),
        _dense(classes, "text_logits", _text_branch(words, text_filters, text_kernel)),
    ]
    merged = tf.keras.layers.Concatenate(name="merged")(logits)
    return tf.keras.Model([sound, words], _dense(classes, "head", merged), name="d_late")


def start_from(fused: Any, audio_network: Any, text_network: Any) -> None:
    """Copy the weights of the separately trained networks into the branches of early or late fusion."""
    for branch, network in (("audio", audio_network), ("text", text_network)):
        for layer in network.layers:
            name = f"{branch}_logits" if layer.name == "head" else layer.name
            target = next((own for own in fused.layers if own.name == name), None)
            if target is not None and layer.get_weights():
                target.set_weights(layer.get_weights())


def prepare(fused: Any, strategy: str) -> None:
    """Set the trainable layers: all (cold), those after merging (pretrained), those before pooling as well (warm)."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is {strategy!r}, there are {', '.join(STRATEGIES)}")
    training = AFTER_MERGING + (BEFORE_POOLING if strategy == "warm" else ())
    for layer in fused.layers:
        layer.trainable = strategy == "cold" or layer.name in training


def halves(fused: Any) -> tuple[Any, Any]:
    """Return the network up to the merging layer and the rest; both share the weights of `fused`.

    With frozen branches the first computes, once, the whole training input of the second.
    """
    merged = fused.get_layer("merged").output
    inputs = tf.keras.Input((int(merged.shape[-1]),), name="merged_input")
    output = inputs
    for name in AFTER_MERGING:
        layer = next((own for own in fused.layers if own.name == name), None)
        output = output if layer is None else layer(output)
    return tf.keras.Model(fused.inputs, merged), tf.keras.Model(inputs, output)


def _audio_branch(x: Any, filters: int, kernel: int, dropout: float) -> Any:
    layers = tf.keras.layers
    mask = FrameMask(name="audio_mask")(x)
    x = layers.Conv1D(filters, kernel, padding="same", activation="relu", name="audio_conv0")(x)
    x = layers.Dropout(dropout, name="audio_dropout")(Masked(name="audio_masked0")([x, mask]))
    x = layers.Conv1D(filters, kernel, padding="same", activation="relu", name="audio_conv1")(x)
    return MaskedMean(name="audio_mean")([x, mask])


def _text_branch(x: Any, filters: int, kernel: int) -> Any:
    layers = tf.keras.layers
    mask = FrameMask(name="text_mask")(x)
    for index, name in enumerate(("text_dense", "text_conv0", "text_conv1")):
        width = 1 if index == 0 else kernel  # the dense layer on each token is a convolution of width 1
        x = layers.Conv1D(filters, width, padding="same", name=name)(x)
        x = layers.BatchNormalization(name=f"text_norm{index}")(x, mask=mask)
        x = layers.ReLU(name=f"text_relu{index}")(x)
        x = Masked(name=f"text_masked{index}")([x, mask]) if index < 2 else x
    return MaskedMean(name="text_mean")([x, mask])


def _dense(classes: int, name: str, x: Any) -> Any:
    return tf.keras.layers.Dense(classes, name=name)(x)


NETWORKS: dict[str, Callable[..., Any]] = {"d-audio": audio, "d-text": text, "d-early": early, "d-late": late}
