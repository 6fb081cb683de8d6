"""The public `Recogniser`: the agent's events for any cut of the stream, sample types and rates, a light import."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr

from overtone_edge import Emotion, Recogniser
from overtone_edge.core.config import DecisionConfig
from overtone_edge.core.errors import SourceError
from overtone_edge.hearing.hearing import Hearing
from overtone_edge.hearing.recent_speech import RecentSpeech
from overtone_edge.hearing.streaming import StreamingRecogniser
from overtone_models.bundle import Bundle
from overtone_models.errors import BundleError, PretrainedError

DECISION = DecisionConfig(threshold=0.0)
PACKAGES = [str(Path(__file__).parents[3] / name) for name in ("edge", "models", "protocol")]


@pytest.fixture(scope="module")
def sound(voice, silence) -> np.ndarray:
    return np.concatenate([silence(0.3), voice(1.5), silence(1.2), voice(0.8, pitch_hz=210.0, seed=3)])


@pytest.fixture(scope="module")
def expected(bundle: Bundle, sound: np.ndarray) -> list[Emotion]:
    """The events of the agent's hearing."""
    hearing = Hearing(
        StreamingRecogniser(bundle),
        device="recogniser",
        config=DECISION,
        recent=RecentSpeech(bundle.manifest.front_end, max_s=30.0),
    )
    events = timeless(hearing.process(sound) + hearing.finish())
    assert [event.final for event in events].count(True) == 2
    return events


@pytest.fixture
def recogniser(fleet) -> Recogniser:
    return Recogniser(fleet.payload(1), decision=DECISION)


def timeless(events: list[Emotion]) -> list[Emotion]:
    return [replace(event, time_s=0.0) for event in events]


def events_of(recogniser: Recogniser, samples: np.ndarray, block: int, **values: int) -> list[Emotion]:
    events = [
        event
        for start in range(0, len(samples), block)
        for event in recogniser.process(samples[start : start + block], **values)
    ]
    return timeless(events + recogniser.flush())


@pytest.mark.parametrize("block", [1, 7, 160, 1024, 100_000])
def test_any_cut_gives_the_events_of_the_agent(recogniser: Recogniser, sound, expected, block: int) -> None:
    assert events_of(recogniser, sound, block) == expected


def test_a_stream_after_flush_or_reset_is_a_new_one(recogniser: Recogniser, sound, expected) -> None:
    assert events_of(recogniser, sound, 4_000) == expected
    recogniser.process(sound[:20_000])
    recogniser.reset()
    assert events_of(recogniser, sound, 4_000) == expected


def test_whole_numbers_and_channels(recogniser: Recogniser, sound, expected) -> None:
    whole = np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)
    floats = (whole / np.float32(32768)).astype(np.float32)
    wanted = events_of(recogniser, floats, 1_600)
    assert [event.final for event in wanted] == [event.final for event in expected]
    assert events_of(recogniser, whole, 1_600) == wanted
    assert events_of(recogniser, np.stack([whole, whole], axis=1), 1_600) == wanted


@pytest.mark.parametrize("block", [7, 441, 1024])
def test_other_rates_are_resampled_whatever_the_blocks(recogniser: Recogniser, sound, block: int) -> None:
    faster = soxr.resample(sound, 16_000, 44_100).astype(np.float32)
    wanted = events_of(recogniser, faster, len(faster), rate_hz=44_100)
    assert [event.final for event in wanted].count(True) == 2
    assert events_of(recogniser, faster, block, rate_hz=44_100) == wanted


def test_the_rate_may_change_within_a_stream(recogniser: Recogniser, voice, silence) -> None:
    events = recogniser.process(silence(1.0)[::2], rate_hz=8_000)
    events += recogniser.process(voice(1.5)) + recogniser.flush()
    assert events[-1].final and 2.4 <= events[-1].stream_s <= 2.6


def test_bundles_come_as_a_file_or_bytes_and_models_by_name(fleet, shipped: Path, tmp_path: Path) -> None:
    path = tmp_path / "2.zip"
    path.write_bytes(fleet.payload(2))
    versions = [Recogniser(model).bundle.manifest.version for model in (path, str(path), fleet.payload(1), "small")]
    assert versions == [2, 2, 1, 2]
    with pytest.raises(PretrainedError, match="there are medium, small"):
        Recogniser("huge")
    with pytest.raises(BundleError):
        Recogniser(b"no bundle")


@pytest.mark.parametrize("block", [np.zeros(10), np.array([np.nan], np.float32), np.zeros(3, np.uint8)])
def test_samples_of_other_types_and_values_are_refused(recogniser: Recogniser, block: np.ndarray) -> None:
    with pytest.raises(SourceError, match=r"must be float32 or int16|not a finite number"):
        recogniser.process(block)


def run_isolated(code: str) -> str:
    """Return what a program prints that can import neither TensorFlow nor the cloud, and opens no socket."""
    preamble = (
        "import socket, sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('tensorflow', 'keras', 'overtone_cloud', 'overtone_converters'):\n"
        "            raise ImportError(name)\n"
        "def refused(*_arguments, **_values): raise OSError('no network')\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "socket.socket.connect = refused\n"
        f"sys.path[:0] = {PACKAGES!r}\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", preamble + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_of_the_documentation_runs_on_the_device_alone() -> None:
    code = "import doctest, overtone_edge.hearing.api as api\nprint(doctest.testmod(api))"
    last = run_isolated(code).splitlines()[-1]
    assert re.fullmatch(r"TestResults\(failed=0, attempted=[1-9]\d*\)", last), last


def test_importing_the_package_is_light() -> None:
    ours = "sum(name.startswith('overtone_') for name in sys.modules)"
    code = f"import overtone_edge\nprint('numpy' in sys.modules, {ours})"
    assert run_isolated(code) == "False 1\n"


def test_there_is_nothing_else_in_the_package() -> None:
    import overtone_edge

    with pytest.raises(AttributeError, match="no attribute 'Recognizer'"):
        _ = overtone_edge.Recognizer
