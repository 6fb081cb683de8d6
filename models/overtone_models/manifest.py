"""What `bundle.json` says: a model's labels, network, calibration, and where it comes from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from overtone_models.calibration import Calibration
from overtone_models.errors import BundleError, ModelError
from overtone_models.front_end import FrontEndSpec
from overtone_models.gate import GateSpec
from overtone_models.labels import EMOTIONS
from overtone_models.layout import WeightLayout
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.window_spec import FAMILY, WindowSpec

FORMAT, WINDOW_FORMAT = 1, 2
MANIFEST = "bundle.json"
MAX_LABEL_CHARACTERS = 32


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `bundle.json` says."""

    name: str
    version: int
    created: str
    labels: tuple[str, ...]
    front_end: FrontEndSpec
    gate: GateSpec
    network: EdgeTcnSpec | WindowSpec
    calibration: Calibration
    base_round: int
    lineage: Mapping[str, str]
    licence: str
    label_smoothing: float = 0.0
    """Part of each training target that is spread over all labels; devices learn with the same."""

    @property
    def edge(self) -> EdgeTcnSpec:
        """The edge network; raise BundleError for a window network where only an edge network will do."""
        if isinstance(self.network, WindowSpec):
            raise BundleError(f"{self.name} holds the window network {self.network.name}: this needs an edge network")
        return self.network

    @property
    def window(self) -> WindowSpec | None:
        """The window network, None for an edge network."""
        return self.network if isinstance(self.network, WindowSpec) else None

    @property
    def features_digest(self) -> str:
        """What examples must have in common to be learned from together: the digest of what the network hears."""
        return self.front_end.digest if self.window is None else self.window.features_digest

    @property
    def layout(self) -> WeightLayout:
        """Layout of the flat weights."""
        return self.network.layout

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form that `from_json` reads."""
        front_end = {"front_end": {**asdict(self.front_end), "digest": self.front_end.digest}}
        return {
            "format": FORMAT if self.window is None else WINDOW_FORMAT,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "labels": list(self.labels),
            **(front_end if self.window is None else {}),
            "gate": asdict(self.gate),
            "network": self.network.to_json(),
            "layout": {**self.layout.to_json(), "digest": self.layout.digest},
            "calibration": asdict(self.calibration),
            "base_round": self.base_round,
            "lineage": dict(self.lineage),
            "licence": self.licence,
            "label_smoothing": self.label_smoothing,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Return the manifest that `to_json` wrote; raise BundleError naming what does not fit."""
        if data.get("format") not in (FORMAT, WINDOW_FORMAT):
            known = f"{FORMAT} and {WINDOW_FORMAT}"
            raise BundleError(f"bundle format is {data.get('format')!r}, this software reads {known}")
        try:
            front_end, front_end_digest = _front_end(data)
            manifest = cls(
                name=str(data["name"]),
                version=int(data["version"]),
                created=str(data["created"]),
                labels=tuple(map(str, data["labels"])),
                front_end=front_end,
                gate=GateSpec(**data["gate"]),
                network=_network(data),
                calibration=Calibration(**data["calibration"]),
                base_round=int(data["base_round"]),
                lineage={str(k): str(v) for k, v in dict(data["lineage"]).items()},
                licence=str(data["licence"]),
                label_smoothing=float(data["label_smoothing"]),
            )
            manifest.check(front_end_digest, str(data["layout"]["digest"]))
        except BundleError:
            raise
        except ModelError as error:
            raise BundleError(f"{MANIFEST}: {error}") from error
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise BundleError(f"{MANIFEST} has no valid field: {error!r}") from error
        return manifest

    def check(self, front_end_digest: str, layout_digest: str) -> None:
        """Raise BundleError where the parts do not belong together."""
        if front_end_digest != self.front_end.digest:
            raise BundleError(
                f"front end digest is {self.front_end.digest[:12]}, the bundle says {front_end_digest[:12]}"
            )
        if layout_digest != self.layout.digest:
            raise BundleError(f"layout digest is {self.layout.digest[:12]}, the bundle says {layout_digest[:12]}")
        if len(self.labels) != self.network.n_classes or not self._labels_known():
            raise BundleError(f"labels {list(self.labels)} do not fit a network of {self.network.n_classes} classes")
        if self.window is None and self.edge.n_features != self.front_end.n_mfcc:
            raise BundleError(
                f"the network takes {self.edge.n_features} features, the front end gives {self.front_end.n_mfcc}"
            )
        if not 0.0 <= self.label_smoothing < 1.0:
            raise BundleError(f"label_smoothing is {self.label_smoothing}, limit is 0 <= label_smoothing < 1")
        if not 1 <= self.version < 2**31:
            raise BundleError(f"version is {self.version}, limit is 1..2147483647")

    def _labels_known(self) -> bool:
        """Return whether the labels can be: our emotions, or for window networks (valence, say) any short names."""
        if self.window is None:
            return set(self.labels) <= set(EMOTIONS)
        short = all(label.isprintable() and 1 <= len(label) <= MAX_LABEL_CHARACTERS for label in self.labels)
        return short and len(set(self.labels)) == len(self.labels)


def _front_end(data: Mapping[str, Any]) -> tuple[FrontEndSpec, str]:
    """Return the front end and the digest that the manifest gives it; a window network's says nothing of it."""
    if data["format"] == WINDOW_FORMAT:
        return FrontEndSpec(), FrontEndSpec().digest
    front_end = dict(data["front_end"])
    digest = str(front_end.pop("digest"))
    return FrontEndSpec(**front_end), digest


def _network(data: Mapping[str, Any]) -> EdgeTcnSpec | WindowSpec:
    if data["format"] == FORMAT:
        return EdgeTcnSpec.from_json(data["network"])
    if (family := data["network"].get("family")) != FAMILY:
        raise BundleError(f"format {WINDOW_FORMAT} holds a network of the family {FAMILY}, got {family!r}")
    return WindowSpec.from_json(data["network"])
