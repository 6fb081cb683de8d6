"""Size limits of messages, chunks, updates and bundles, for device and aggregator (docs/protocol.md, "Limits")."""

from dataclasses import dataclass, fields

from overtone_protocol.errors import ProtocolError

ENVELOPE_BYTES = 1024
"""Allowance in a message for everything except a chunk's data."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits checked before anything is parsed or stored; sizes in bytes."""

    max_message_bytes: int = 65_536
    chunk_bytes: int = 60_000
    max_update_bytes: int = 16 * 1024 * 1024
    max_bundle_bytes: int = 64 * 1024 * 1024
    max_chunks: int = 16_384
    max_ranges: int = 512
    max_fetch: int = 16
    max_text: int = 512
    max_items: int = 4096
    max_depth: int = 3
    max_norm: float = 1000.0
    min_examples: int = 1
    max_examples: int = 1_000_000

    @property
    def last_chunk(self) -> int:
        """The highest chunk index."""
        return self.max_chunks - 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ProtocolError(f"limit {field.name} is {value}, it must be positive")
        if self.chunk_bytes + ENVELOPE_BYTES > self.max_message_bytes:
            raise ProtocolError(
                f"chunk_bytes is {self.chunk_bytes}, limit is max_message_bytes - {ENVELOPE_BYTES} = "
                f"{self.max_message_bytes - ENVELOPE_BYTES}"
            )


DEFAULT_LIMITS = Limits()
