"""Errors of the protocol package.

ProtocolError
├── MessageError    bytes, a field or a topic that the protocol does not allow
├── TransferError   chunks that do not match the announced payload
└── UpdateError     a well-formed update that does not fit the round; `.code` is one of `UPDATE_CODES`
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
"""Codes at the start of the reason in a round reply that declines."""


class ProtocolError(Exception):
    """Base of every error raised by `overtone_protocol`."""


class MessageError(ProtocolError):
    """Bytes, a field or a topic that the protocol does not allow."""


class TransferError(ProtocolError):
    """Chunks that do not match the announced payload."""


class UpdateError(ProtocolError):
    """An update that does not fit its round; the text begins with `code`, one of `UPDATE_CODES`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
