"""What device and cloud know of a model: front end, labels, weight layout, bundles; and the network definitions.

The public API is the front end, which needs numpy alone.
"""

from overtone_models.errors import FrontEndError
from overtone_models.front_end import FrontEnd, FrontEndSpec, mfcc

__all__ = ["FrontEnd", "FrontEndError", "FrontEndSpec", "mfcc"]
