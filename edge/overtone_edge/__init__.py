"""The agent on the device."""

__version__ = "0.1.0"
