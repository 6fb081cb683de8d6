"""Errors of the aggregator.

overtone_cloud.errors.CloudError
├── ConfigError         a configuration file that cannot be used; names file and field
└── AggregatorError     a failure that ends the aggregator
    ├── StateError      a database that cannot be read or written (full disk, locked, damaged)
    ├── LinkError       the broker connection cannot be set up (missing certificate, wrong key)
    └── ReleaseError    a model that cannot be evaluated, built, signed or read back
"""

from overtone_cloud.errors import AggregatorError, ConfigError

__all__ = ["AggregatorError", "ConfigError", "LinkError", "ReleaseError", "StateError"]


class StateError(AggregatorError):
    """The database cannot be read or written; the transaction was rolled back."""


class LinkError(AggregatorError):
    """The connection to the broker cannot be set up."""


class ReleaseError(AggregatorError):
    """A model that cannot be evaluated, built, signed or read back."""
