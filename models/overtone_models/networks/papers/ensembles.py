"""The networks of the ensembles paper (system E): log-mel `(mels, frames, 1)` or mean vectors `(n, 1)` -> logits.

With the defaults, parameter counts equal those that the paper gives or implies (`PARAMETERS`). `axis` is the axis of
the recurrent layer: `mel`, as published, or `time`. `unroll` unrolls its steps, for converters without loops. With
`classes=1` a network is one of the seven binary networks of the stacking.
"""

from collections.abc import Callable, Sequence
from typing import Any

from overtone_models.networks import tf

AXES = ("mel", "time")
CELL = 48


def cnn2d_lstm(
    *,
    mels: int = 128,
    frames: int = 251,
    classes: int = 7,
    kernel: int = 5,
    filters: Sequence[int] = (128, 256, 256),
    units: int = CELL,
    axis: str = "mel",
    unroll: bool = False,
) -> Any:
    """Return CNN2D-LSTM: `(mels, frames, 1)` -> logits (3,800,855 parameters)."""
    inputs = _input(mels, frames, 1)
    x = _last_state(_blocks_2d(inputs, filters, kernel), units=units, axis=axis, unroll=unroll)
    return _with_head(inputs, x, classes, "e_cnn2d_lstm")


def cnn1d_lstm(
    *,
    length: int = 180,
    used: int = 40,
    classes: int = 7,
    kernel: int = 3,
    filters: Sequence[int] = (64, 128),
    units: int = CELL,
    dropout: float = 0.5,
    unroll: bool = False,
) -> Any:
    """Return CNN1D-LSTM: the first `used` of `(length, 1)` means -> logits (60,055 parameters).

    40 means are the MFCC alone, which the paper found best, 52 with chroma, 180 with mel powers too.
    """
    inputs = _input(length, 1)
    x = _blocks_1d(_first(inputs, used), filters, kernel, dropout)
    x = tf.keras.layers.LSTM(units, unroll=unroll, name="lstm")(x)
    return _with_head(inputs, x, classes, "e_cnn1d_lstm")


def fused(
    *,
    mels: int = 128,
    frames: int = 251,
    length: int = 180,
    used: int = 40,
    classes: int = 7,
    kernel: int = 5,
    filters: Sequence[int] = (128, 256, 256),
    units: int = CELL,
    kernel_1d: int = 3,
    filters_1d: Sequence[int] = (64, 128),
    dropout: float = 0.5,
    axis: str = "mel",
    unroll: bool = False,
) -> Any:
    """Return the fused network: `(mels, frames, 1)` and `(length, 1)`, LSTMs concatenated (3,860,903 parameters)."""
    picture, means = _input(mels, frames, 1), _input(length, 1)
    wide = _last_state(_blocks_2d(picture, filters, kernel), units=units, axis=axis, unroll=unroll)
    narrow = _blocks_1d(_first(means, used), filters_1d, kernel_1d, dropout)
    narrow = tf.keras.layers.LSTM(units, unroll=unroll, name="lstm_1d")(narrow)
    x = tf.keras.layers.Concatenate(name="embedding")([wide, narrow])
    return _with_head([picture, means], x, classes, "e_fused")


def lstm_cnn_1d(
    *,
    length: int = 180,
    used: int = 52,
    classes: int = 7,
    kernel: int = 3,
    filters: Sequence[int] = (64,),
    units: int = 52,
    dropout: float = 0.2,
    unroll: bool = False,
) -> Any:
    """Return 1-D LSTM-CNN: every state of an LSTM over the first `used` means, then convolutions."""
    inputs = _input(length, 1)
    x = tf.keras.layers.LSTM(units, return_sequences=True, unroll=unroll, name="lstm")(_first(inputs, used))
    x = tf.keras.layers.Flatten(name="embedding")(_blocks_1d(x, filters, kernel, dropout))
    return _with_head(inputs, x, classes, "e_lstm_cnn_1d")


def lstm_cnn_2d(
    *,
    mels: int = 128,
    frames: int = 251,
    classes: int = 7,
    kernel: int = 3,
    filters: Sequence[int] = (128, 256),
    units: int = 64,
    dropout: float = 0.0,
    axis: str = "mel",
    unroll: bool = False,
) -> Any:
    """Return 2-D LSTM-CNN: every state of an LSTM over the rows (or columns) of the log-mel, then convolutions."""
    inputs = _input(mels, frames, 1)
    x = tf.keras.layers.Reshape((mels, frames))(inputs)
    if _checked(axis) == "time":
        x = tf.keras.layers.Permute((2, 1))(x)
    x = tf.keras.layers.LSTM(units, return_sequences=True, unroll=unroll, name="lstm")(x)
    x = tf.keras.layers.Flatten(name="embedding")(_blocks_1d(x, filters, kernel, dropout))
    return _with_head(inputs, x, classes, "e_lstm_cnn_2d")


def cnn_transformer(
    *,
    mels: int = 128,
    frames: int = 251,
    classes: int = 7,
    kernel: int = 3,
    filters: Sequence[int] = (32, 64, 128, 256),
    heads: int = 8,
    key: int = 64,
    feed_forward: int = 2048,
    dropout: float = 0.1,
) -> Any:
    """Return CNN-Transformer: four convolution blocks, one post-norm transformer block (2,107,527 parameters)."""
    layers = tf.keras.layers
    inputs = _input(mels, frames, 1)
    x = inputs
    for index, count in enumerate(filters):
        x = layers.Conv2D(count, kernel, activation="elu", name=f"conv{index}")(x)
        x = layers.MaxPooling2D(2)(layers.BatchNormalization(name=f"norm{index}")(x))
    width = filters[-1]
    x = layers.Reshape((x.shape[1] * x.shape[2], width))(x)
    attended = layers.MultiHeadAttention(heads, key, name="attention")(x, x)
    x = layers.LayerNormalization(epsilon=1e-6, name="attended")(layers.Add()([x, _dropped(attended, dropout)]))
    y = layers.Dense(feed_forward, activation="relu", name="feed0")(x)
    y = _dropped(layers.Dense(width, name="feed1")(y), dropout)
    x = layers.LayerNormalization(epsilon=1e-6, name="transformed")(layers.Add()([x, y]))
    return _with_head(inputs, layers.Flatten(name="embedding")(x), classes, "e_cnn_transformer")


def stacking(
    *,
    base: str = "e-cnn2d-lstm",
    classes: int = 7,
    width: int = 512,
    dropout: float = 0.4,
    **options: Any,
) -> Any:
    """Return the stacking: one frozen binary network per class (`binary0` ...), a perceptron on their probabilities.

    `options` are the base network's; with the default base 26,611,614 parameters, 7,687 of them trained.
    """
    layers = tf.keras.layers
    binaries = [NETWORKS[base](classes=1, **options) for _ in range(classes)]
    inputs = [tf.keras.Input(tuple(source.shape[1:])) for source in binaries[0].inputs]
    opinions = []
    for index, binary in enumerate(binaries):
        binary.name = f"binary{index}"
        binary.trainable = False
        opinions.append(layers.Activation("sigmoid")(binary(inputs if len(inputs) > 1 else inputs[0])))
    x = layers.Dense(width, activation="relu", name="embedding")(layers.Concatenate()(opinions))
    return _with_head(inputs if len(inputs) > 1 else inputs[0], _dropped(x, dropout), classes, "e_stacking")


def meta(*, classes: int = 7, width: int = 512, dropout: float = 0.4) -> Any:
    """Return the stacking's perceptron alone: `(classes,)` binary probabilities -> logits; same layer names."""
    inputs = _input(classes)
    x = tf.keras.layers.Dense(width, activation="relu", name="embedding")(inputs)
    return _with_head(inputs, _dropped(x, dropout), classes, "e_meta")


def _input(*shape: int) -> Any:
    return tf.keras.Input(shape)


def _checked(axis: str) -> str:
    if axis not in AXES:
        raise ValueError(f"axis is {axis!r}, there are {', '.join(AXES)}")
    return axis


def _first(means: Any, used: int) -> Any:
    length = means.shape[1]
    if not 0 < used <= length:
        raise ValueError(f"{used} of {length} means cannot be used")
    return means if used == length else tf.keras.layers.Cropping1D((0, length - used))(means)


def _blocks_2d(x: Any, filters: Sequence[int], kernel: int) -> Any:
    """Return `x` after blocks of convolution (valid), normalisation, ELU and pooling by 2."""
    layers = tf.keras.layers
    for index, count in enumerate(filters):
        x = layers.Conv2D(count, kernel, name=f"conv{index}")(x)
        x = layers.ELU()(layers.BatchNormalization(name=f"norm{index}")(x))
        x = layers.MaxPooling2D(2)(x)
    return x


def _blocks_1d(x: Any, filters: Sequence[int], kernel: int, dropout: float) -> Any:
    layers = tf.keras.layers
    for index, count in enumerate(filters):
        x = layers.Conv1D(count, kernel, name=f"conv1d_{index}")(x)
        x = layers.ELU()(layers.BatchNormalization(name=f"norm1d_{index}")(x))
        x = _dropped(layers.MaxPooling1D(2)(x), dropout)
    return x


def _last_state(maps: Any, *, units: int, axis: str, unroll: bool) -> Any:
    """Return the last state of an LSTM along one axis of `(mels, frames, filters)` maps, the rest flattened."""
    layers = tf.keras.layers
    if _checked(axis) == "time":
        maps = layers.Permute((2, 1, 3))(maps)
    _, steps, across, count = maps.shape
    flat = layers.Reshape((steps, across * count))(maps)  # what a time-distributed Flatten does
    return layers.LSTM(units, unroll=unroll, name="lstm")(flat)


def _dropped(x: Any, rate: float) -> Any:
    return tf.keras.layers.Dropout(rate)(x) if rate else x


def _with_head(inputs: Any, embedding: Any, classes: int, name: str) -> Any:
    return tf.keras.Model(inputs, tf.keras.layers.Dense(classes, name="head")(embedding), name=name)


NETWORKS: dict[str, Callable[..., Any]] = {
    "e-cnn2d-lstm": cnn2d_lstm,
    "e-cnn1d-lstm": cnn1d_lstm,
    "e-fused": fused,
    "e-lstm-cnn-1d": lstm_cnn_1d,
    "e-lstm-cnn-2d": lstm_cnn_2d,
    "e-cnn-transformer": cnn_transformer,
    "e-stacking": stacking,
}
PARAMETERS = {"e-cnn2d-lstm": 3_800_855, "e-cnn1d-lstm": 60_055, "e-cnn-transformer": 2_107_527, "e-fused": 3_860_903}
"""The first is published, the second and fourth follow from the published layers, the third rounds there to 2.1 M."""
