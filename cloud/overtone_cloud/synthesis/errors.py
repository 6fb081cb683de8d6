"""The one error of the synthetic voice.

CloudError
└── SynthesisError    a request that the synthetic voice cannot fulfil
"""

from overtone_cloud.errors import CloudError


class SynthesisError(CloudError):
    """A request that the synthetic voice cannot fulfil."""
