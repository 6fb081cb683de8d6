"""Errors of the model packages.

ModelError
├── LabelError      a label that no table knows
├── FrontEndError   a front end that cannot be, or samples that it cannot take
├── LayoutError     weights that do not fit their layout
├── BundleError     a bundle that is broken or does not fit this software
└── PretrainedError a pretrained model that did not come with this software
"""


class ModelError(Exception):
    """Base of every error raised by `overtone_models`."""


class LabelError(ModelError):
    """A label that the corpus or the model does not have."""


class FrontEndError(ModelError):
    """A front end specification that cannot be, or samples it cannot take."""


class LayoutError(ModelError):
    """Weights that do not fit the layout they are used with."""


class BundleError(ModelError):
    """A bundle that is incomplete, changed, or made for another format."""


class PretrainedError(ModelError):
    """A pretrained model that is not among those that came with this software."""
