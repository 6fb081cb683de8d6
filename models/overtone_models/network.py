"""Families of networks: the interface that bundles, devices and converters use, and the table of the families.

`edge-tcn` streams: it takes MFCC hop by hop and keeps its state. `window` looks at the last seconds of speech.
Code that needs one of the two calls `as_streaming` or `as_window`, which refuse the other in one line.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from overtone_models.errors import ModelError
from overtone_models.front_end import FrontEndSpec
from overtone_models.layout import WeightLayout
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.window_spec import WindowSpec


class NetworkSpec(Protocol):
    """Description of a network of any family, without TensorFlow."""

    @property
    def family(self) -> str:
        """Name of the family: a key of `FAMILIES`."""
        ...

    @property
    def title(self) -> str:
        """Display name."""
        ...

    @property
    def n_classes(self) -> int:
        """Number of labels."""
        ...

    @property
    def embedding_size(self) -> int:
        """Length of the head's input vector."""
        ...

    @property
    def layout(self) -> WeightLayout:
        """Layout of the flat weights."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes that devices can train: `head`, `full`."""
        ...

    @property
    def bundle_format(self) -> int:
        """Number of the bundle format that holds this family."""
        ...

    @property
    def listening_file(self) -> str:
        """Name of the inference TFLite file in the bundle."""
        ...

    @property
    def takes_mfcc(self) -> bool:
        """Whether the input is the front end's MFCC, so that the manifest describes a front end."""
        ...

    @property
    def scale_values(self) -> int:
        """Number of means (and deviations) that standardise the input."""
        ...

    @property
    def remark(self) -> str:
        """Remark for users on how it listens, shown after its name; empty where it streams."""
        ...

    def examples_digest(self, front_end: FrontEndSpec) -> str:
        """Return the digest of the input: examples with equal digests can be trained on together."""
        ...

    def check_front_end(self, front_end: FrontEndSpec) -> None:
        """Raise ModelError where the network does not fit the front end's features."""
        ...

    def accepts_labels(self, labels: tuple[str, ...]) -> bool:
        """Return whether the labels are valid for this family; their number is not checked."""
        ...

    def as_streaming(self) -> EdgeTcnSpec:
        """Return the network as one that streams; raise ModelError where it does not."""
        ...

    def as_window(self) -> WindowSpec:
        """Return the network as one over a window; raise ModelError where it streams."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that the family's `from_json` reads."""
        ...


FAMILIES: Mapping[str, type[EdgeTcnSpec] | type[WindowSpec]] = {"edge-tcn": EdgeTcnSpec, "window": WindowSpec}


def network_from_json(data: Mapping[str, Any]) -> NetworkSpec:
    """Return the network that `to_json` described; raise ModelError for anything else."""
    family = data.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise ModelError(f"unknown network family {family!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[family].from_json(data)
