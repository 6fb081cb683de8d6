"""Errors of the cloud package.

CloudError
├── ConfigError       a configuration with an unknown key, a wrong unit or a value outside its limit
├── AudioError        a file that is not sound, or not sound this software takes
├── CorpusError       a corpus that is missing, empty or not recognised
├── SplitError        folds that cannot be made, or a split file that does not fit its corpus
├── DownloadError     a download that failed, or whose content is not the official one
├── SynthesisError    a request that the synthetic voice cannot fulfil
├── TrainingError     a training that cannot start or go on
├── BrokerError       a broker configuration that cannot be written
└── AggregatorError   an aggregator that cannot go on
"""


class CloudError(Exception):
    """Base of every error raised by `overtone_cloud`."""


class ConfigError(CloudError):
    """A configuration with an unknown key, a wrong unit or a value outside its limit."""


class AudioError(CloudError):
    """A file that is not sound, or not sound this software takes."""


class CorpusError(CloudError):
    """A corpus that is missing, empty or not recognised."""


class SplitError(CloudError):
    """Folds that cannot be made, or a split file that does not fit its corpus."""


class DownloadError(CloudError):
    """A download that failed, or whose content is not the official one."""


class SynthesisError(CloudError):
    """A request that the synthetic voice cannot fulfil."""


class TrainingError(CloudError):
    """A training that cannot start or go on."""


class BrokerError(CloudError):
    """A broker configuration that cannot be written."""


class AggregatorError(CloudError):
    """An aggregator that cannot go on."""
