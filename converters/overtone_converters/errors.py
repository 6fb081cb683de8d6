"""Errors of the converters.

ConversionError
├── ParityError    a converted file does not do what the network does
└── SigningError   keys or metadata that cannot sign
"""


class ConversionError(Exception):
    """Base of every error raised by `overtone_converters`."""


class ParityError(ConversionError):
    """A converted file differs from the network by more than its limit."""


class SigningError(ConversionError):
    """Keys or metadata that are missing, broken or of another repository."""
