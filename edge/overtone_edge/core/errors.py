"""Errors of the device.

AgentError
├── ConfigError      a configuration that cannot be: the line names file, section and field
├── SourceError      sound that cannot be read: a file, a command, a microphone
├── StorageError     the device's disk: full, read-only, unreadable
├── LinkError        the link to the broker cannot be set up as configured
├── InferenceError   no TFLite runtime, or a model that it refuses
├── TrustError       a signed bundle that is changed, expired, older or signed by others
│   └── UndecidedError   trust that this device cannot judge now: its clock or its disk may be the trouble
├── InstallError     a bundle that is genuine and yet cannot run here
├── LearningError    training that cannot start: too few examples, other base
├── JobError         a child process that failed or ran out of time
└── ControlError     no agent answers on the control socket, or it refuses the request
"""


class AgentError(Exception):
    """Base of every error raised by `overtone_edge`."""


class ConfigError(AgentError):
    """A configuration with an unknown key, a wrong type or unit, or a missing file."""


class SourceError(AgentError):
    """Sound that cannot be read."""


class StorageError(AgentError):
    """The device's disk refuses: full, read-only, or unreadable."""


class LinkError(AgentError):
    """The link to the broker cannot be set up as configured."""


class InferenceError(AgentError):
    """No TFLite runtime is installed, or it refuses a model or its inputs."""


class TrustError(AgentError):
    """A signed bundle that is changed, expired, older, or signed by others."""


class UndecidedError(TrustError):
    """Trust that cannot be judged now: expired by a clock that may be wrong, or a disk that refuses."""


class InstallError(AgentError):
    """A genuine bundle that cannot run on this device."""


class LearningError(AgentError):
    """Training that cannot start or gave nothing that can be used."""


class JobError(AgentError):
    """A child process that failed or ran out of time."""


class ControlError(AgentError):
    """No agent answers on the control socket, or it refuses the request."""
