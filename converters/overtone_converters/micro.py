"""Exports a bundle as C arrays for microcontrollers: the int8 network, front end tables, head."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overtone_converters.micro_runtime import arena_bytes, check_parity, operators, tensor_order
from overtone_edge.hearing.streaming import STD_FLOOR, recent_hops
from overtone_models.bundle import Bundle
from overtone_models.front_end import FrontEndSpec, dct_matrix, hann_window, mel_filters

HEADER, SOURCE = "overtone_model.h", "overtone_model.c"
ANY_SPEECH = -100.0
"""Speech level of a model that does not distinguish speech from sounds: every mean of logits is far above."""


@dataclass(frozen=True)
class Micro:
    """Files of a C export by name, with its sizes and the result of the comparison."""

    files: dict[str, bytes]
    model_bytes: int
    arena_bytes: int
    operators: tuple[str, ...]
    equal_hops: int

    def to_json(self) -> dict[str, Any]:
        """Return everything but the files' content."""
        return {
            "files": list(self.files),
            "model_bytes": self.model_bytes,
            "arena_bytes": self.arena_bytes,
            "operators": list(self.operators),
            "equal_hops": self.equal_hops,
        }


def build_micro(bundle: Bundle) -> Micro:
    """Return a streaming bundle as C; raise BundleError for others, ParityError where the results differ."""
    _ = bundle.manifest.edge  # refuses a network that does not stream
    model = bundle.streaming_model
    equal = check_parity(bundle, bundle.golden_samples)
    arena, operator_names = arena_bytes(model), operators(model)
    arrays = _arrays(bundle)
    files = {
        HEADER: _header(bundle, arena, operator_names, arrays).encode(),
        SOURCE: _source(bundle, arrays).encode(),
    }
    return Micro(files, len(model), arena, operator_names, equal)


def _arrays(bundle: Bundle) -> dict[str, "np.ndarray[Any, Any]"]:
    """Return the constants besides the network; the header's comment describes them."""
    spec, network = bundle.manifest.front_end, bundle.manifest.network
    first, count, weights = _bands(spec)
    split = network.embedding_size * network.n_classes
    return {
        "window": hann_window(spec),
        "mel_first": first,
        "mel_count": count,
        "mel_weights": weights,
        "dct": dct_matrix(spec),
        "standardise_mean": bundle.standardise_mean,
        "standardise_scale": bundle.standardise_scale,
        "head_weights": bundle.head[:split],
        "head_bias": bundle.head[split:],
    }


def _bands(spec: FrontEndSpec) -> "tuple[np.ndarray[Any, Any], ...]":
    """Return each mel filter's first bin and number of bins, and all their weights one after the other."""
    filters = mel_filters(spec).T
    places = [np.flatnonzero(row) for row in filters]
    first = np.array([p[0] for p in places], np.uint16)
    count = np.array([p[-1] - p[0] + 1 for p in places], np.uint16)
    return first, count, np.concatenate([row[p[0] : p[-1] + 1] for row, p in zip(filters, places, strict=True)])


def _constants(bundle: Bundle, arena: int) -> dict[str, str]:
    manifest, spec, network = bundle.manifest, bundle.manifest.front_end, bundle.manifest.edge
    inputs, outputs = tensor_order(bundle.streaming_model)
    numbers: dict[str, int | float] = {
        "MODEL_BYTES": len(bundle.streaming_model),
        "ARENA_BYTES": arena,
        "MODEL_VERSION": manifest.version,
        "LABELS": len(manifest.labels),
        "SAMPLE_RATE_HZ": spec.sample_rate_hz,
        "WINDOW_SAMPLES": spec.fft_samples,
        "HOP_SAMPLES": spec.hop_samples,
        "MELS": spec.n_mels,
        "MFCC": spec.n_mfcc,
        "FLOOR_POWER": spec.floor_power,
        "HOP_FRAMES": network.hop_frames,
        "CHANNELS": network.width,
        "EMBEDDING": network.embedding_size,
        "RECENT_HOPS": recent_hops(bundle),
        "VARIANCE_FLOOR": float(STD_FLOOR),
        "TEMPERATURE": manifest.calibration.temperature,
        "THRESHOLD": manifest.calibration.threshold,
        "SPEECH": ANY_SPEECH if manifest.calibration.speech is None else manifest.calibration.speech,
        "STATES": len(inputs) - 1,
        "INPUT_FRAMES": inputs.index("frames"),
        "OUTPUT_HOP": outputs.index("hop"),
    }
    macros = {name: _number(value) for name, value in numbers.items()}
    states = sorted(name for name in inputs if name != "frames")
    macros["INPUT_STATES"] = _braces(inputs.index(name) for name in states)
    macros["OUTPUT_STATES"] = _braces(outputs.index(name) for name in states)
    return macros


def _header(
    bundle: Bundle, arena: int, operator_names: Sequence[str], arrays: dict[str, "np.ndarray[Any, Any]"]
) -> str:
    manifest = bundle.manifest
    defines = "\n".join(f"#define OVERTONE_{name} {value}" for name, value in _constants(bundle, arena).items())
    declared = "\n".join(f"extern const {_kind(a)} overtone_{name}[{a.size}];" for name, a in arrays.items())
    return f"""/* {_text(manifest.name)}, version {manifest.version}: emotion in speech for TensorFlow Lite Micro.
   Bundle {bundle.digest}.
   Licence: {_text(manifest.licence)}.

   Sound: mono, OVERTONE_SAMPLE_RATE_HZ, float -1..1. Every OVERTONE_HOP_SAMPLES, of the last OVERTONE_WINDOW_SAMPLES:
   times overtone_window, FFT, squared magnitudes, mel powers (filter m: overtone_mel_count[m] bins from
   overtone_mel_first[m] on, weights one filter after the other), not less than OVERTONE_FLOOR_POWER, 10 log10,
   times overtone_dct (mel by coefficient), less overtone_standardise_mean, times overtone_standardise_scale.
   Network: OVERTONE_HOP_FRAMES such frames go to input OVERTONE_INPUT_FRAMES. States begin as zeros with an utterance;
   output OVERTONE_OUTPUT_STATES[k] of a hop is input OVERTONE_INPUT_STATES[k] of the next.
   Answer: of the last OVERTONE_RECENT_HOPS outputs OVERTONE_OUTPUT_HOP the mean, then
   sqrt(variance + OVERTONE_VARIANCE_FLOOR); times overtone_head_weights (OVERTONE_EMBEDDING by OVERTONE_LABELS),
   plus overtone_head_bias, are logits. Over OVERTONE_TEMPERATURE, softmax; divided by
   1 + exp(OVERTONE_SPEECH - mean of the logits), which is nearly 1 where this is speech.
   Below OVERTONE_THRESHOLD there is no decision.
   Operators: {", ".join(operator_names)}.
   OVERTONE_ARENA_BYTES was measured with 64-bit pointers; 32-bit ones need less. */
#ifndef OVERTONE_MODEL_H
#define OVERTONE_MODEL_H

#ifdef __cplusplus
extern "C" {{
#endif

{defines}

extern const unsigned char overtone_model[OVERTONE_MODEL_BYTES];
extern const char *const overtone_labels[OVERTONE_LABELS];
{declared}

#ifdef __cplusplus
}}
#endif

#endif
"""


def _source(bundle: Bundle, arrays: dict[str, "np.ndarray[Any, Any]"]) -> str:
    labels = ", ".join(f'"{label}"' for label in bundle.manifest.labels)
    model = np.frombuffer(bundle.streaming_model, np.uint8)
    parts = [
        f'#include "{HEADER}"\n',
        # TensorFlow Lite reads the file in place and wants it aligned.
        "_Alignas(16) const unsigned char overtone_model[OVERTONE_MODEL_BYTES] = "
        f"{{\n{_rows(map(str, model), 24)}}};\n",
        f"const char *const overtone_labels[OVERTONE_LABELS] = {{{labels}}};\n",
    ]
    for name, array in arrays.items():
        words = _rows(map(_number, array.ravel().tolist()), 8)
        parts.append(f"const {_kind(array)} overtone_{name}[{array.size}] = {{\n{words}}};\n")
    return "\n".join(parts)


def _kind(array: "np.ndarray[Any, Any]") -> str:
    return "unsigned short" if array.dtype == np.uint16 else "float"


def _number(value: float) -> str:
    """Return a number as a C literal that reads back exactly: nine digits distinguish neighbouring float32 values."""
    return str(value) if isinstance(value, int) else f"{value:.9e}f"


def _rows(words: Iterable[str], width: int) -> str:
    listed = list(words)
    return "".join(f"  {', '.join(listed[i : i + width])},\n" for i in range(0, len(listed), width))


def _braces(numbers: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, numbers)) + "}"


def _text(words: str) -> str:
    """Return text that cannot end the C comment around it."""
    return words.replace("*/", "* /")
