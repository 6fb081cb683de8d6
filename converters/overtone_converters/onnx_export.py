"""Exports the streaming network as float32 ONNX; the only module that imports `tf2onnx`, `onnx`, `onnxruntime`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from overtone_converters.errors import ConversionError, ParityError
from overtone_edge.core.errors import InferenceError
from overtone_edge.hearing.streaming import WINDOW_S, StreamingRecogniser, pooled, recent_hops
from overtone_models.bundle import Bundle
from overtone_models.calibration import Calibration
from overtone_models.front_end import F32, mfcc
from overtone_models.networks import edge_tcn, native_stderr_silenced, tf

OPSET = 13
"""Opset that TensorRT reads from version 7.2 on; no operator here needs a later one."""
MAX_DIFFERENCE = 1e-4
MAX_DEVICE_DIFFERENCE = 0.1
"""Limit for probabilities, which int8 changes a little: labels differ only where two are almost equally probable."""
OUTPUTS = ("hop", "embedding", "probabilities")
USE = f"""Sound: mono; MFCC frames as front_end says (librosa's, without top_db), less standardise_mean, times
standardise_scale. Each hop: as many of them as the input frames holds, and for every other input NAME what
next_NAME was after the hop before; zeros when an utterance begins.
Answer: probabilities of the labels over the last {WINDOW_S:g} s of speech; below threshold there is no decision.
hop is what the network makes of this hop alone. embedding (mean and deviation of the last hops) is for a head
of your own: logits are embedding times weights, plus bias; probabilities are softmax(logits over temperature), divided
by 1 + exp(speech - mean of the logits) where the metadata has speech."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Comparison on one clip of the ONNX file with the float network and the device; differences are maxima.

    `difference` is to the float network, `device_difference` that of probabilities to the device's int8 network.
    """

    hops: int
    difference: float
    device_difference: float
    label_agreement: float


@dataclass(frozen=True)
class Onnx:
    """An ONNX file and its comparison with the network."""

    model: bytes
    parity: Parity

    def to_json(self) -> dict[str, Any]:
        """Return everything but the file's content."""
        return {"bytes": len(self.model), "opset": OPSET, **asdict(self.parity)}


def build_onnx(bundle: Bundle) -> Onnx:
    """Return a streaming bundle as ONNX; raise BundleError for others, ParityError where its outputs differ."""
    _ = bundle.manifest.edge  # refuses a network that does not stream
    model = _convert_step(bundle)
    return Onnx(model, check_parity(bundle, model, bundle.golden_samples))


def require_libraries() -> None:
    """Raise ConversionError in one line where a library of the extra is missing."""
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise ConversionError(
            f"the library {error.name or error} is not installed; pip install 'overtone[onnx]'"
        ) from error
    del onnx, onnxruntime, tf2onnx


class OnnxNetwork:
    """An ONNX file in onnxruntime on the processor, one hop at a time, with its states kept between calls."""

    def __init__(self, model: bytes) -> None:
        require_libraries()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        with native_stderr_silenced():  # it looks for GPUs and logs that
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = {item.name: tuple(item.shape) for item in self._session.get_inputs()}
        self.outputs = {item.name: tuple(item.shape) for item in self._session.get_outputs()}
        self.reset()

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's metadata."""
        metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return metadata

    def reset(self) -> None:
        """Begin a new utterance."""
        self.states = {name: np.zeros(shape, np.float32) for name, shape in self.inputs.items() if name != "frames"}

    def process(self, frames: F32) -> dict[str, F32]:
        """Return `OUTPUTS` by name, each flat, of one hop of `(hop_frames, n_features)` standardised frames."""
        values = self._session.run(list(self.outputs), {"frames": frames[None], **self.states})
        outputs = dict(zip(self.outputs, values, strict=True))
        self.states = {name: outputs[f"next_{name}"] for name in self.states}
        return {name: outputs[name].reshape(-1) for name in OUTPUTS}


def check_parity(bundle: Bundle, model: bytes, samples: F32) -> Parity:
    """Return the differences of the file's outputs for `samples` from network and device; raise ParityError over a
    limit."""
    features = mfcc(samples, bundle.manifest.front_end)
    try:
        by_hop = [hop.probabilities for hop in StreamingRecogniser(bundle).process_frames(features)]
    except InferenceError as error:
        raise ParityError(f"the device's runtime refuses the bundle: {error}") from error
    if not by_hop:
        raise ParityError(f"a clip of {samples.size} samples is shorter than one hop")
    frames = bundle.standardise(features)
    actual, expected, device = _stream(bundle, model, frames), _expected(bundle, frames), np.stack(by_hop)
    differences = [_difference(name, actual[name], expected[name], "the network's", MAX_DIFFERENCE) for name in OUTPUTS]
    probabilities = actual["probabilities"]
    return Parity(
        hops=len(device),
        difference=max(differences),
        device_difference=_difference("probabilities", probabilities, device, "the device's", MAX_DEVICE_DIFFERENCE),
        label_agreement=float((probabilities.argmax(1) == device.argmax(1)).mean()),
    )


def _difference(name: str, actual: F32, expected: F32, whose: str, limit: float) -> float:
    """Return the largest difference of two arrays; raise ParityError where it is over the limit."""
    largest = float(np.abs(actual - expected).max())
    if not largest <= limit:
        raise ParityError(f"{name} of the ONNX file: up to {largest:.3g} from {whose}, limit is {limit:g}")
    return largest


def _stream(bundle: Bundle, model: bytes, frames: F32) -> dict[str, F32]:
    """Return the file's outputs `(hops, width)`, one hop after the other."""
    network, size = OnnxNetwork(model), bundle.manifest.edge.hop_frames
    starts = range(0, len(frames) - size + 1, size)
    hops = [network.process(np.ascontiguousarray(frames[start : start + size], np.float32)) for start in starts]
    return {name: np.stack([hop[name] for hop in hops]) for name in OUTPUTS}


def _expected(bundle: Bundle, frames: F32) -> dict[str, F32]:
    """Return hops, embeddings and probabilities of the float network in TensorFlow for the whole clip at once."""
    spec, weights = bundle.manifest.edge, bundle.manifest.layout.unflatten(bundle.weights)
    whole = frames[None, : len(frames) // spec.hop_frames * spec.hop_frames].astype(np.float32)
    features, _ = edge_tcn.body(spec, weights, tf.constant(whole), edge_tcn.zero_states(spec))
    hops: F32 = features[0].numpy()
    recent = recent_hops(bundle)
    embeddings = np.stack([pooled(hops[max(0, end - recent) : end]) for end in range(1, len(hops) + 1)])
    logits = embeddings @ weights["head/w"] + weights["head/b"]
    probabilities = bundle.manifest.calibration.probabilities(logits)
    return {"hop": hops, "embedding": embeddings, "probabilities": probabilities}


def _convert_step(bundle: Bundle) -> bytes:
    """Return the file: `step(frames, state0, ..., recent, heard)` with its metadata."""
    require_libraries()
    import onnx
    import tf2onnx

    signature = _signature(bundle)
    with native_stderr_silenced():
        model, _ = tf2onnx.convert.from_function(_step_function(bundle), input_signature=signature, opset=OPSET)
    _number_names(model.graph)
    model.graph.name, model.graph.doc_string, model.doc_string = bundle.manifest.name, "", USE
    onnx.helper.set_model_props(model, _metadata(bundle, [item.name for item in signature[1:]]))
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _number_names(graph: Any) -> None:
    """Rename inner values by order of use: the converter's names change from run to run."""
    public = {item.name for item in (*graph.input, *graph.output)}
    names: dict[str, str] = {}

    def plain(name: str) -> str:
        return name if name in public else names.setdefault(name, f"value{len(names)}")

    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}{number}"
        node.input[:] = [plain(name) for name in node.input]
        node.output[:] = [plain(name) for name in node.output]
    for item in graph.initializer:
        item.name = plain(item.name)
    graph.initializer.sort(key=lambda item: item.name)


def _signature(bundle: Bundle) -> list[Any]:
    spec, recent = bundle.manifest.edge, recent_hops(bundle)
    shapes = {f"state{index}": shape for index, shape in enumerate(spec.state_shapes)}
    shapes = {"frames": (spec.hop_frames, spec.n_features), **shapes, "recent": (recent, spec.width)}
    inputs = [tf.TensorSpec([1, *shape], name=name) for name, shape in shapes.items()]
    return [*inputs, tf.TensorSpec([1, recent], name="heard")]


def _step_function(bundle: Bundle) -> Any:
    spec, calibration = bundle.manifest.edge, bundle.manifest.calibration
    # As arrays: tensors made outside of the function would become inputs of the file.
    weights = bundle.manifest.layout.unflatten(bundle.weights)

    def step(frames: Any, *before: Any) -> dict[str, Any]:
        *states, recent, heard = before
        hops, after = edge_tcn.body(spec, weights, frames, states)
        recent = tf.concat([recent[:, 1:], hops], 1)
        heard = tf.concat([heard[:, 1:], tf.ones([1, 1])], 1)
        embedding = edge_tcn.masked_statistics(recent, heard)
        logits = tf.matmul(embedding, weights["head/w"]) + weights["head/b"]
        return {
            "hop": hops[:, 0],
            "embedding": embedding,
            "probabilities": _probabilities(logits, calibration),
            **{f"next_state{index}": state for index, state in enumerate(after)},
            "next_recent": recent,
            "next_heard": heard,
        }

    return tf.function(step, input_signature=_signature(bundle), autograph=False)


def _probabilities(logits: Any, calibration: Calibration) -> Any:
    labels = tf.nn.softmax(logits / calibration.temperature)
    if calibration.speech is None:
        return labels
    return labels * tf.sigmoid(tf.reduce_mean(logits, -1, keepdims=True) - calibration.speech)


def _metadata(bundle: Bundle, states: list[str]) -> dict[str, str]:
    manifest = bundle.manifest
    front_end = {**asdict(manifest.front_end), "digest": manifest.front_end.digest}
    return {
        "name": manifest.name,
        "version": str(manifest.version),
        "bundle": bundle.digest,
        "licence": manifest.licence,
        "labels": json.dumps(manifest.labels),
        "front_end": json.dumps(front_end),
        "standardise_mean": json.dumps(bundle.standardise_mean.tolist()),
        "standardise_scale": json.dumps(bundle.standardise_scale.tolist()),
        "temperature": str(manifest.calibration.temperature),
        "threshold": str(manifest.calibration.threshold),
        **({} if manifest.calibration.speech is None else {"speech": str(manifest.calibration.speech)}),
        "states": json.dumps({name: f"next_{name}" for name in states}),
    }
