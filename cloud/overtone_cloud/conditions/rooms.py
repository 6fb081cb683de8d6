"""Rooms with a far microphone, simulated by image sources (pyroomacoustics)."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from overtone_cloud.errors import ConfigError
from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_models.front_end import F32

SOUND_M_S = 343.0


@dataclass(frozen=True, kw_only=True)
class RoomSpec:
    """A box of `size_m` with a speaker and a microphone at places in metres; echoes fall by 60 dB in `rt60_s`."""

    size_m: tuple[float, float, float]
    rt60_s: float
    speaker_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]

    @property
    def distance_m(self) -> float:
        """From the speaker to the microphone."""
        return float(np.linalg.norm(np.subtract(self.speaker_m, self.microphone_m)))

    def to_json(self) -> dict[str, Any]:
        """Return the parameters that determine the impulse response."""
        return asdict(self)


def _room(size: tuple[float, float, float], rt60_s: float, *places: tuple[float, float, float]) -> RoomSpec:
    return RoomSpec(size_m=size, rt60_s=rt60_s, speaker_m=places[0], microphone_m=places[1])


ROOMS = (
    _room((3.2, 3.6, 2.5), 0.35, (0.9, 0.8, 1.5), (2.3, 2.6, 0.9)),
    _room((4.1, 3.4, 2.5), 0.45, (0.8, 2.3, 1.2), (3.3, 0.9, 0.8)),
    _room((5.2, 4.3, 2.6), 0.40, (1.2, 1.1, 1.6), (4.2, 3.1, 1.0)),
    _room((5.8, 4.9, 2.7), 0.55, (4.6, 1.3, 1.2), (2.1, 3.9, 0.8)),
    _room((6.4, 5.1, 2.8), 0.50, (1.1, 3.8, 1.6), (4.4, 2.2, 1.1)),
    _room((7.3, 5.6, 3.0), 0.65, (5.9, 4.1, 1.6), (2.7, 2.0, 0.9)),
)
"""Rooms of the tests, from a small kitchen to a large living room."""

TRAINING_ROOMS = (
    _room((2.6, 3.1, 2.4), 0.30, (0.7, 0.9, 1.6), (1.9, 2.3, 1.1)),
    _room((3.7, 4.6, 2.5), 0.38, (2.9, 0.7, 1.3), (1.0, 3.1, 0.7)),
    _room((4.6, 3.9, 2.6), 0.60, (0.9, 1.4, 1.5), (3.8, 2.9, 1.2)),
    _room((4.9, 5.4, 2.5), 0.33, (3.9, 4.2, 1.1), (1.6, 1.3, 0.9)),
    _room((5.5, 3.8, 2.7), 0.48, (1.3, 3.0, 1.6), (4.0, 1.1, 0.8)),
    _room((6.1, 4.4, 2.9), 0.70, (4.9, 0.8, 1.4), (2.2, 3.3, 1.0)),
    _room((6.9, 6.2, 2.8), 0.58, (1.5, 1.2, 1.2), (3.9, 3.6, 0.9)),
    _room((8.1, 5.2, 3.1), 0.75, (6.3, 1.4, 1.6), (3.2, 3.7, 1.1)),
)
"""Others of the same kind, for trainings."""


@lru_cache(maxsize=16)
def impulse_response(room: RoomSpec) -> F32:
    """Return the response at 16 kHz from the direct sound on, whose amplitude is 1 at a distance of 1 m."""
    try:
        import pyroomacoustics as pra
    except ImportError as error:
        raise ConfigError("the library pyroomacoustics is not installed; pip install 'overtone[cloud]'") from error
    absorption, order = pra.inverse_sabine(room.rt60_s, room.size_m)
    box = pra.ShoeBox(room.size_m, fs=SAMPLE_RATE_HZ, materials=pra.Material(absorption), max_order=order)
    box.add_source(room.speaker_m)
    box.add_microphone(room.microphone_m)
    box.compute_rir()
    response: F32 = np.asarray(box.rir[0][0], np.float32)
    # The simulation delays everything by half its interpolation filter; the way through the air is silence too.
    arrival = pra.constants.get("frac_delay_length") // 2 + int(room.distance_m / SOUND_M_S * SAMPLE_RATE_HZ)
    return response[max(0, arrival - 8) :]
