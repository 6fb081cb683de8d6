"""Errors of the aggregator.

overtone_cloud.errors.CloudError
├── ConfigError         a configuration file that cannot be used; names file and field
└── AggregatorError     an aggregator that cannot go on
    ├── StateError      the database refused (full disk, locked, broken)
    ├── LinkError       the broker connection cannot be set up (missing certificate, wrong key)
    └── ReleaseError    a model that cannot be evaluated, built, signed or read back
"""

from overtone_cloud.errors import AggregatorError, ConfigError

__all__ = ["AggregatorError", "ConfigError", "LinkError", "ReleaseError", "StateError"]


class StateError(AggregatorError):
    """The database refused; nothing of the transaction was kept."""


class LinkError(AggregatorError):
    """The connection to the broker cannot be set up."""


class ReleaseError(AggregatorError):
    """A model that cannot be evaluated, built, signed or read back."""
