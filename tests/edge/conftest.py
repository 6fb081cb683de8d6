"""Fixtures of the agent's tests: small signed bundles, speech made by rule, and a configuration."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.bundles import committed_bundles

from overtone_converters.signing import make_keys, sign_bundle
from overtone_edge.state.examples import Example
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.front_end import mfcc

RATE_HZ = 16_000


@dataclass(frozen=True)
class Fleet:
    """Keys of a fleet and its bundles 1, 2, 3: `payload(n)`, `path(n)` and `signed(n)`, and the `root` file."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "keys" / "root.json"

    def payload(self, version: int) -> bytes:
        return committed_bundles()[f"tiny-{version}"]

    def path(self, version: int) -> Path:
        return self.folder / f"{version}.signed"

    def signed(self, version: int) -> bytes:
        return self.path(version).read_bytes()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The committed bundles of three different weights, signed with keys of this session."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    make_keys(fleet.folder / "keys")
    for version in (1, 2, 3):
        signed = sign_bundle(fleet.payload(version), name="tiny", version=version, keys=fleet.folder / "keys")
        fleet.path(version).write_bytes(signed)
    return fleet


def make_voice(seconds: float, *, pitch_hz: float = 120.0, seed: int = 0) -> np.ndarray:
    """Return a buzz with formants and syllables: enough of a voice for the gate to open."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = np.cumsum(pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 3 * t)) / RATE_HZ)
    harmonics = range(1, int(4000 / pitch_hz))
    wave = sum(
        np.sin(2 * np.pi * k * phase)
        * (np.exp(-(((k * pitch_hz - 600) / 300) ** 2)) + 0.4 * np.exp(-(((k * pitch_hz - 1700) / 400) ** 2)) + 0.02)
        for k in harmonics
    )
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * t)
    sound = 0.2 * wave / np.abs(wave).max() * syllables + 0.0005 * rng.normal(size=t.size)
    return sound.astype(np.float32)


def make_silence(seconds: float) -> np.ndarray:
    """Return near-silence."""
    return (1e-4 * np.random.default_rng(1).normal(size=int(seconds * RATE_HZ))).astype(np.float32)


@pytest.fixture(scope="session")
def voice():
    """Return `make_voice`."""
    return make_voice


@pytest.fixture(scope="session")
def silence():
    """Return `make_silence`."""
    return make_silence


@pytest.fixture(scope="session")
def bundle(fleet: Fleet) -> Bundle:
    """The fleet's bundle 1."""
    return read_bundle(fleet.payload(1))


@pytest.fixture(scope="session")
def examples(bundle: Bundle) -> list[Example]:
    """Eight examples of two voices, and four that rounds leave out."""
    return [
        Example(
            mfcc(
                make_voice(1.0 + 0.2 * (n % 3), pitch_hz=110.0 + 110 * (n % 2) + n, seed=n), bundle.manifest.front_end
            ),
            "happy" if n % 2 else "sad",
            n >= 8,
        )
        for n in range(12)
    ]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A WAV with two utterances of 2 s, silence before, between and after."""
    path = tmp_path / "speech.wav"
    sound = np.concatenate(
        [
            make_silence(0.5),
            make_voice(2.0),
            make_silence(1.3),
            make_voice(2.0, pitch_hz=210.0, seed=2),
            make_silence(1.3),
        ]
    )
    soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture(autouse=True)
def pretrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pretrained models are looked for in these tests: a folder without any, until a test puts some there."""
    from overtone_models import pretrained

    folder = tmp_path / "pretrained"
    monkeypatch.setattr(pretrained, "FOLDERS", (folder,))
    return folder


@pytest.fixture
def shipped(pretrained: Path, fleet: Fleet) -> Path:
    """The folder with two pretrained models: `medium` is the fleet's bundle 1, `small` bundle 2, both unsigned."""
    for name, version in (("medium", 1), ("small", 2)):
        (pretrained / name).mkdir(parents=True)
        (pretrained / name / f"{name}.bundle").write_bytes(fleet.payload(version))
    return pretrained


@pytest.fixture
def make_config(tmp_path: Path, fleet: Fleet):
    """Return a function `(toml of the other sections) -> path of a configuration`."""

    def make(sections: str = "", *, device: str = "device-a") -> Path:
        path = tmp_path / f"{device}.toml"
        path.write_text(
            f'[device]\nid = "{device}"\nfleet = "test"\nstate_dir = "state-{device}"\n'
            f'[trust]\nroot_file = "{fleet.root}"\n{sections}'
        )
        return path

    return make
