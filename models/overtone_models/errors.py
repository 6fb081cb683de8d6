"""Errors of the model packages.

ModelError
├── LabelError      a label that is in no table
├── FrontEndError   an invalid front end, or samples that it cannot process
├── LayoutError     weights that do not fit their layout
├── BundleError     a bundle that is broken or does not fit this software
└── PretrainedError a pretrained model that is not installed
"""


class ModelError(Exception):
    """Base of every error raised by `overtone_models`."""


class LabelError(ModelError):
    """A label that the corpus or the model does not have."""


class FrontEndError(ModelError):
    """An invalid front end specification, or samples that it cannot process."""


class LayoutError(ModelError):
    """Weights that do not fit the layout they are used with."""


class BundleError(ModelError):
    """A bundle that is incomplete, changed, or made for another format."""


class PretrainedError(ModelError):
    """A pretrained model that is not among the installed ones."""
