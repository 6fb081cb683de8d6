"""Presence message: state of a device, retained; its last will is the same with `online` false."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from overtone_protocol.schema import Boolean, Count, DeviceId, Digest, Integer, Text, Token


@dataclass(frozen=True)
class Presence:
    """State of a device, which it sends at every connection and whenever a field changes; retained.

    `base` is the digest of the weights in the installed bundle, `boot` a random token per
    start of the agent; `examples` and `held_out` count labelled utterances.
    """

    kind: ClassVar[str] = "presence"

    device: DeviceId
    online: Boolean
    boot: Token
    software: Text
    runtime: Text
    bundle: Digest | None = None
    bundle_version: Count = 0
    base: Digest | None = None
    layout: Digest | None = None
    front_end: Digest | None = None
    examples: Annotated[int, Integer(0, "max_examples")] = 0
    held_out: Annotated[int, Integer(0, "max_examples")] = 0
