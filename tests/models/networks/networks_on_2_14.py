"""Run by `.venv-tff/bin/python networks_on_2_14.py IN.npz OUT.npz`: the network under TensorFlow 2.14.

Builds the Keras model, takes the weights in IN, trains a step on another model, and writes what both give.
"""

import sys

import numpy as np

from overtone_models.front_end import FrontEndSpec, mfcc
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.networks import edge_tcn, tf


def main(source: str, target: str) -> None:
    given = dict(np.load(source))
    out = {"tensorflow": np.array(tf.__version__), "mfcc": mfcc(given["samples"], FrontEndSpec())}
    for separable in (True, False):
        spec = EdgeTcnSpec(n_features=12, n_classes=3, channels=8, kernel=3, dilations=(1, 2), separable=separable)
        clips = [given["clip0"], given["clip1"]]
        model = edge_tcn.keras_model(spec, dropout=0.1)
        model.set_weights([given[f"{separable}/{i}"] for i in range(len(model.get_weights()))])
        weights = edge_tcn.fold(model, spec)
        x, mask = edge_tcn.pad_utterances(clips, spec, 60)
        out[f"{separable}/fold"] = weights
        out[f"{separable}/keras"] = model([x, mask], training=False).numpy()
        out[f"{separable}/plain"] = edge_tcn.logits(spec, weights, clips)
        model.compile("sgd", tf.keras.losses.CategoricalCrossentropy(from_logits=True))
        model.fit([x, mask], np.eye(3, dtype=np.float32)[:2], epochs=1, verbose=0)
        trained = edge_tcn.fold(model, spec)
        out[f"{separable}/moved"] = np.abs(trained - weights).max()
        out[f"{separable}/trained keras"] = model([x, mask], training=False).numpy()
        out[f"{separable}/trained plain"] = edge_tcn.logits(spec, trained, clips)
    np.savez(target, **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
