"""Run by `.venv-tff/bin/python runtime_2_14.py BUNDLE IN.npz OUT.npz`: a bundle on tflite-runtime 2.14.

Needs numpy and the runtime only; both runtimes run this same file.
"""

import sys
from pathlib import Path

import numpy as np

from overtone_edge.hearing.runtime import TrainingGraph, runtime_name
from overtone_edge.hearing.streaming import StreamingRecogniser, golden_difference
from overtone_models.bundle import read_bundle


def main(path: str, source: str, target: str) -> None:
    bundle, given = read_bundle(Path(path).read_bytes()), np.load(source)
    hops = StreamingRecogniser(bundle).process(given["samples"])
    out = {
        "runtime": np.array(runtime_name()),
        "golden": np.array(golden_difference(bundle)),
        "embeddings": np.stack([hop.embedding for hop in hops]),
        "probabilities": np.stack([hop.probabilities for hop in hops]),
    }
    graph = TrainingGraph(bundle.training_model)
    for scope in ("head", "full"):
        graph.set(scope, bundle.weights[bundle.manifest.layout.scope_slice(scope)])
        batch = given[f"{scope} x"], given["y"], given["weight"]
        out[f"{scope} losses"] = np.array([graph.train(scope, *batch, lr=0.01, momentum=0.9) for _ in range(5)])
        out[f"{scope} weights"], out[f"{scope} velocity"] = graph.get(scope)
        out[f"{scope} logits"] = graph.infer(scope, given[f"{scope} x"])
    heavy = sorted({"tensorflow", "keras", "librosa", "soundfile", "webrtcvad"} & set(sys.modules))
    np.savez(target, **out, heavy=np.array(heavy, dtype="U20"))


if __name__ == "__main__":
    main(*sys.argv[1:])
