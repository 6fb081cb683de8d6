"""Weight update of a device, the payload of a transfer: encoding, decoding and validation."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from overtone_protocol import wire
from overtone_protocol.errors import MessageError, UpdateError
from overtone_protocol.limits import DEFAULT_LIMITS, Limits
from overtone_protocol.messages import envelope, open_envelope
from overtone_protocol.rounds import Scope, Steps
from overtone_protocol.schema import ByteString, Choice, DeviceId, Digest, Integer, Real, Token, check_fields, printable

F32 = NDArray[np.float32]

ENCODINGS = ("f32", "f16")
Encoding = Annotated[Literal["f32", "f16"], Choice(ENCODINGS)]
_DTYPES: dict[str, np.dtype[Any]] = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2")}
_F16_MAX = np.float32(65504.0)


@dataclass(frozen=True, eq=False)
class Update:
    """Weight changes of one round: `delta` = trained weights - base, flat, `(size of the scope,)`.

    `update_id` identifies the training run; `examples` is the weight of the update in the average; losses are the mean
    cross-entropy in nats over the device's training examples.
    """

    kind: ClassVar[str] = "update"

    update_id: Token
    device: DeviceId
    round_id: Token
    scope: Scope
    base: Digest
    layout: Digest
    front_end: Digest
    examples: Annotated[int, Integer(0, "max_examples")]
    steps: Steps
    loss_before: Annotated[float, Real()]
    loss_after: Annotated[float, Real()]
    encoding: Encoding
    delta: Annotated[F32, ByteString(0, "max_update_bytes")]


def encode_update(update: Update, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return an update as CBOR; in f16, finite values saturate at +-65504.

    Non-finite values are written unchanged; `check_update` rejects them.
    """
    values = {field.name: getattr(update, field.name) for field in fields(update)}
    values["delta"] = _pack(update.delta, update.encoding)
    fields_on_wire = check_fields(update.kind, Update, values, limits)
    return wire.dumps(envelope(update.kind, fields_on_wire), what="update", limit_bytes=limits.max_update_bytes)


def decode_update(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Update:
    """Return the update in `data`, with `delta` as float32; raise MessageError for anything else."""
    content = wire.loads(data, what="update", limit_bytes=limits.max_update_bytes, limits=limits)
    if content.get("kind") != Update.kind:
        raise MessageError(f"kind is {printable(content.get('kind'))}, it must be {Update.kind!r}")
    values = check_fields(Update.kind, Update, open_envelope(Update, content), limits)
    values["delta"] = _unpack(values["delta"], values["encoding"])
    return Update(**values)


def check_update(
    update: Update,
    *,
    round_id: bytes,
    base: bytes,
    layout: bytes,
    front_end: bytes,
    size: int,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Raise UpdateError unless `update` belongs to this round and has `size` finite weights of bounded norm."""
    digests = (
        ("wrong-round", update.round_id, round_id),
        ("wrong-base", update.base, base),
        ("wrong-layout", update.layout, layout),
        ("wrong-front-end", update.front_end, front_end),
    )
    for code, actual, expected in digests:
        if actual != expected:
            raise UpdateError(code, f"update has {actual.hex()[:16]}, the round has {expected.hex()[:16]}")
    if update.delta.shape != (size,):
        raise UpdateError("wrong-size", f"update has {update.delta.size} weights, the round has {size}")
    _check_values(update.delta, limits)
    if update.examples < limits.min_examples:
        raise UpdateError("too-few-examples", f"update has {update.examples}, limit is {limits.min_examples}")


def _check_values(delta: F32, limits: Limits) -> None:
    finite = np.isfinite(delta)
    if not finite.all():
        first = int(np.argmin(finite))
        raise UpdateError("not-finite", f"weight {first} of the update is {delta[first]}")
    norm = float(np.linalg.norm(delta.astype(np.float64)))
    if norm > limits.max_norm:
        raise UpdateError("norm-too-large", f"norm of the update is {norm:.6g}, limit is {limits.max_norm:g}")


def _pack(delta: F32, encoding: str) -> bytes:
    if encoding not in _DTYPES:
        raise MessageError(f"update: encoding is {printable(encoding)}, it must be one of {', '.join(ENCODINGS)}")
    if delta.ndim != 1 or delta.dtype != np.float32:
        raise MessageError(f"update: delta must be flat float32, got {delta.dtype} of shape {delta.shape}")
    if encoding == "f16":
        delta = np.where(np.isfinite(delta), np.clip(delta, -_F16_MAX, _F16_MAX), delta)
    with np.errstate(invalid="ignore"):
        return delta.astype(_DTYPES[encoding]).tobytes()


def _unpack(data: bytes, encoding: str) -> F32:
    dtype = _DTYPES[encoding]
    if len(data) % dtype.itemsize:
        raise MessageError(f"update: delta is {len(data)} bytes, not a multiple of {dtype.itemsize} ({encoding})")
    with np.errstate(invalid="ignore"):
        return np.frombuffer(data, dtype).astype(np.float32)
