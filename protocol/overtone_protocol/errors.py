"""Errors of the protocol package.

ProtocolError
├── MessageError    bytes, a field or a topic that the protocol does not allow
├── TransferError   chunks that do not make the payload they were announced as
└── UpdateError     a readable update that does not fit the round; `.code` is one of `UPDATE_CODES`
"""

UPDATE_CODES = (
    "wrong-round",
    "wrong-base",
    "wrong-layout",
    "wrong-front-end",
    "wrong-size",
    "not-finite",
    "norm-too-large",
    "too-few-examples",
)

DECLINE_CODES = (
    "unwilling",
    "no-bundle",
    "wrong-base",
    "wrong-layout",
    "wrong-scope",
    "too-few-examples",
    "outbox-full",
    "late",
    "failed",
)
"""What the reason of a round reply that declines begins with."""


class ProtocolError(Exception):
    """Base of every error raised by `overtone_protocol`."""


class MessageError(ProtocolError):
    """Bytes, a field or a topic that the protocol does not allow."""


class TransferError(ProtocolError):
    """Chunks that do not make the payload they were announced as."""


class UpdateError(ProtocolError):
    """An update that does not fit its round; the text begins with `code`, one of `UPDATE_CODES`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
