"""Acoustic descriptors by openSMILE: the fusion paper's 18; optional, since its licence forbids commercial products."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_models.features.acoustic import STATIC
from overtone_models.features.spec import FeatureSpec
from overtone_models.front_end import F32

NOTICE = "openSMILE's licence allows research and private use; products need another one from audEERING"
SHORTEST_S = 0.2
COLUMNS = {
    "pitch": "F0final_sma",
    "jitter": "jitterLocal_sma",
    "shimmer": "shimmerLocal_sma",
    "log_hnr": "logHNR_sma",
    "loudness": "audspec_lengthL1norm_sma",
} | {f"mfcc_{i}": f"mfcc_sma[{i}]" for i in range(1, 14)}


@dataclass(frozen=True, kw_only=True)
class OpenSmileSpec(FeatureSpec):
    """`(frames, 36)` every 10 ms, in `AcousticSpec`'s order: ComParE 2016's descriptors, then their first differences.

    That set has fixed windows of 60 ms for the voice and 20 ms for the spectrum, where the paper names 32 ms for
    all, and smooths over three of them. Sound shorter than 0.2 s is followed by zeros.
    """

    name: ClassVar[str] = "acoustic-opensmile"

    @property
    def shape(self) -> tuple[int, int]:
        """`(0, 36)`: 0 stands for any length."""
        return 0, 2 * len(STATIC)

    def compute(self, samples: F32) -> F32:
        """Return `(frames, 36)`; raise ConfigError where the library is not installed."""
        return self.track(samples)

    def track(self, samples: F32) -> F32:
        """Return `(frames, 36)`; the first row's differences are 0."""
        least = round(SHORTEST_S * self.sample_rate_hz)
        padded = np.pad(self.validate(samples), (0, max(0, least - samples.size)))
        table = _smile().process_signal(padded, self.sample_rate_hz)
        static = np.nan_to_num(table[[COLUMNS[name] for name in STATIC]].to_numpy()).astype(np.float32)
        return np.concatenate([static, np.diff(static, axis=0, prepend=static[:1])], axis=1)


def check_opensmile() -> None:
    """Raise ConfigError, which names the extra and the licence, where the library is not installed."""
    _library()


def _library() -> Any:
    try:
        import opensmile
    except ImportError as error:
        raise ConfigError(
            f"the library opensmile is not installed; pip install 'overtone[opensmile]' ({NOTICE})"
        ) from error
    return opensmile


@lru_cache(maxsize=1)
def _smile() -> Any:
    library = _library()
    return library.Smile(library.FeatureSet.ComParE_2016, library.FeatureLevel.LowLevelDescriptors)
