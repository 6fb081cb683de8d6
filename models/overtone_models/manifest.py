"""The manifest of a bundle, `bundle.json`: the model's description, its name, version and origin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overtone_models.description import ModelDescription, description_from_json
from overtone_models.errors import BundleError, ModelError
from overtone_models.network import FAMILIES
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.window_spec import WindowSpec

MANIFEST = "bundle.json"
_FORMATS = {spec.bundle_format: family for family, spec in FAMILIES.items()}


@dataclass(frozen=True, kw_only=True)
class Manifest(ModelDescription):
    """Content of `bundle.json`; raises BundleError where its parts are inconsistent."""

    name: str
    version: int
    created: str
    base_round: int

    def __post_init__(self) -> None:
        if len(self.labels) != self.network.n_classes or not self.network.accepts_labels(self.labels):
            raise BundleError(f"labels {list(self.labels)} do not fit a network of {self.network.n_classes} classes")
        try:
            self.network.check_front_end(self.front_end)
        except ModelError as error:
            raise BundleError(str(error)) from error
        if not 0.0 <= self.label_smoothing < 1.0:
            raise BundleError(f"label_smoothing is {self.label_smoothing}, limit is 0 <= label_smoothing < 1")
        if self.reference is not None and len(self.reference.mean) != self.network.embedding_size:
            raise BundleError(
                f"a reference of {len(self.reference.mean)} values does not fit embeddings of "
                f"{self.network.embedding_size}"
            )
        if not 1 <= self.version < 2**31:
            raise BundleError(f"version is {self.version}, limit is 1..2147483647")

    @property
    def edge(self) -> EdgeTcnSpec:
        """The network, where it streams; raise BundleError where it looks at whole windows."""
        try:
            return self.network.as_streaming()
        except ModelError as error:
            raise BundleError(f"{self.name}: {error}") from error

    @property
    def window(self) -> WindowSpec:
        """The network, where it looks at whole windows; raise BundleError where it streams."""
        try:
            return self.network.as_window()
        except ModelError as error:
            raise BundleError(f"{self.name}: {error}") from error

    @property
    def features_digest(self) -> str:
        """Digest of the network's input: examples with equal digests can be trained on together."""
        return self.network.examples_digest(self.front_end)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        data = {
            **super().to_json(),
            "format": self.network.bundle_format,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "base_round": self.base_round,
            "layout": {**self.layout.to_json(), "digest": self.layout.digest},
        }
        front_end = data.pop("front_end")
        if self.network.takes_mfcc:
            data["front_end"] = {**front_end, "digest": self.front_end.digest}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Return the manifest that `to_json` wrote; raise BundleError naming what does not fit."""
        if data.get("format") not in tuple(_FORMATS):
            known = " and ".join(map(str, _FORMATS))
            raise BundleError(f"bundle format is {data.get('format')!r}, this software reads {known}")
        try:
            return cls._parsed(data)
        except BundleError:
            raise
        except ModelError as error:
            raise BundleError(f"{MANIFEST}: {error}") from error
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise BundleError(f"{MANIFEST} has no valid field: {error!r}") from error

    @classmethod
    def _parsed(cls, data: Mapping[str, Any]) -> "Manifest":
        expected, family = _FORMATS[data["format"]], data["network"].get("family")
        if family != expected:
            raise BundleError(f"format {data['format']} holds a network of the family {expected}, got {family!r}")
        # A network that computes its own features has no front end in its manifest.
        front_end = dict(data["front_end"]) if FAMILIES[family].takes_mfcc else {}
        digest = front_end.pop("digest", None)
        manifest = cls(
            **description_from_json({**data, "front_end": front_end}),
            name=str(data["name"]),
            version=int(data["version"]),
            created=str(data["created"]),
            base_round=int(data["base_round"]),
        )
        if manifest.network.takes_mfcc:
            _check_digest("front end", manifest.front_end.digest, digest)
        _check_digest("layout", manifest.layout.digest, data["layout"]["digest"])
        return manifest


def _check_digest(what: str, digest: str, listed: object) -> None:
    if str(listed) != digest:
        raise BundleError(f"{what} digest is {digest[:12]}, the bundle says {str(listed)[:12]}")
