"""Converts the streaming network to int8 TFLite: one hop in, explicit state in and out."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from overtone_converters.errors import ConversionError
from overtone_models.front_end import F32
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.networks import native_stderr_silenced, tf
from overtone_models.networks.edge_tcn import body, zero_states

CALIBRATION_HOPS = 1500


def streaming_model(spec: EdgeTcnSpec, weights: F32, calibration: Sequence[F32]) -> bytes:
    """Return the int8 TFLite with the signature `step(frames, state0, ...) -> hop, state0, ...`.

    `calibration` holds utterances of standardised frames `(frames, n_features)`, of training
    speakers only; their hops and running states set the ranges.
    """
    if not any(len(utterance) >= spec.hop_frames for utterance in calibration):
        raise ConversionError(f"no calibration utterance has one hop of {spec.hop_frames} frames")
    module = tf.Module()
    module.step = step = _step_function(spec, weights)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"step": step.get_concrete_function()})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["step"])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: (("step", hop) for hop in _hops(spec, step, calibration))
        with native_stderr_silenced(), warnings.catch_warnings():
            # The converter calibrates with TensorFlow's own interpreter, which prints a notice on every use.
            warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated")
            model: bytes = converter.convert()
    return model


def _step_function(spec: EdgeTcnSpec, weights: F32) -> Any:
    tensors = {name: tf.constant(value) for name, value in spec.layout.unflatten(weights).items()}
    signature = [tf.TensorSpec([1, spec.hop_frames, spec.n_features], name="frames")]
    for index, (steps, channels) in enumerate(spec.state_shapes):
        signature.append(tf.TensorSpec([1, steps, channels], name=f"state{index}"))

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def step(frames: Any, *states: Any) -> dict[str, Any]:
        hops, after = body(spec, tensors, frames, states)
        return {"hop": hops[:, 0], **{f"state{index}": state for index, state in enumerate(after)}}

    return step


def _hops(spec: EdgeTcnSpec, step: Any, utterances: Sequence[F32]) -> Iterator[dict[str, F32]]:
    hops = 0
    for utterance in utterances:
        states = {f"state{index}": state for index, state in enumerate(zero_states(spec))}
        for start in range(0, len(utterance) - spec.hop_frames + 1, spec.hop_frames):
            if hops == CALIBRATION_HOPS:
                return
            frames = np.ascontiguousarray(utterance[None, start : start + spec.hop_frames])
            yield {"frames": frames, **states}
            result = step(frames, *states.values())
            states = {name: result[name].numpy() for name in states}
            hops += 1
