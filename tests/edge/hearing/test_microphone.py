"""The microphone: ALSA's file plugin plays one; a stand-in for PyAudio plays its failures."""

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from overtone_edge.agent.cli import main
from overtone_edge.core.config import SourceConfig
from overtone_edge.core.errors import SourceError
from overtone_edge.hearing import microphone
from overtone_edge.hearing.microphone import InputDevice, Microphone, choose_device

DEVICES = [
    InputDevice(0, "HDA Intel", 2, 48_000),
    InputDevice(3, "USB Audio Device", 1, 44_100),
    InputDevice(5, "default", 32, 44_100),
]


@pytest.mark.parametrize(("wanted", "index"), [(None, 5), (3, 3), ("usb", 3), ("Intel", 0)])
def test_choosing_a_device(wanted, index: int) -> None:
    assert choose_device(DEVICES, wanted).index == index


@pytest.mark.parametrize("wanted", [9, "bluetooth"])
def test_a_device_that_is_not_there_lists_those_that_are(wanted) -> None:
    with pytest.raises(SourceError, match="available: 0 'HDA Intel', 3 'USB Audio Device'"):
        choose_device(DEVICES, wanted)


def test_without_any_device_nothing_is_left_out_of_the_sentence() -> None:
    with pytest.raises(SourceError, match=r"^there is no microphone; available: none$"):
        choose_device([], None)


def test_the_command_says_that_there_is_none(monkeypatch, capfd) -> None:
    class NoisyPyAudio:
        def __init__(self) -> None:
            os.write(2, b"ALSA lib pcm.c: Unknown PCM\n" * 90)

        def get_device_count(self) -> int:
            return 0

        def terminate(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "pyaudio", types.SimpleNamespace(PyAudio=NoisyPyAudio))
    assert main(["devices"]) == 1
    assert capfd.readouterr().err == (
        "overtone-agent: no microphone found (see `arecord -l`; the user needs the group audio)\n"
    )


class FakeStream:
    def __init__(self, callback, script: list) -> None:
        self._active = True
        for step in script:
            if step == "unplug":
                self._active = False
            else:
                callback(step[0], 0, None, step[1])

    def is_active(self) -> bool:
        return self._active

    def close(self) -> None:
        self._active = False


class FakePyAudio:
    """Plays one script an opening; "gone" refuses to open."""

    scripts: ClassVar[list] = []

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict:
        return {"index": 0, "name": "fake", "maxInputChannels": 1, "defaultSampleRate": 48_000.0}

    def open(self, *, rate: int, stream_callback, **_values) -> FakeStream:
        if rate != 48_000:
            raise OSError("Invalid sample rate")
        script = self.scripts.pop(0)
        if script == "gone":
            raise OSError("No such device")
        return FakeStream(stream_callback, script)

    def terminate(self) -> None:
        pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakePyAudio]:
    module = types.SimpleNamespace(
        PyAudio=FakePyAudio, paInputOverflow=2, paContinue=0, paInt16=8, PyAudioError=OSError
    )
    monkeypatch.setitem(sys.modules, "pyaudio", module)
    monkeypatch.setattr(microphone, "FIRST_WAIT_S", 0.001)
    return FakePyAudio


def block(value: int) -> bytes:
    return np.full(4_800, value, "<i2").tobytes()


def test_an_unplugged_microphone_is_waited_for(fake) -> None:
    fake.scripts = [[(block(1), 0), (block(2), 0), "unplug"], [(block(3), 2), "unplug"]]
    gaps: list[str] = []
    source = Microphone(SourceConfig(), on_gap=gaps.append)
    heard = 0
    for samples in source.blocks():
        heard += samples.size
        if source.reopened and samples.size:
            source.close()
    assert source.reopened == 1
    assert len(gaps) == 1 and "no longer delivers sound" in gaps[0]
    assert source.overruns == 1
    assert 2_000 < heard <= 4_800


def test_a_microphone_that_comes_back_late(fake) -> None:
    fake.scripts = [[(block(1), 0), (block(1), 0), "unplug"], "gone", "gone", [(block(2), 0), (block(2), 0)]]
    gaps: list[str] = []
    source = Microphone(SourceConfig(), on_gap=gaps.append)
    for samples in source.blocks():
        if source.reopened == 3 and samples.size:
            source.close()
    assert len(gaps) == 3 and "cannot be opened: No such device" in gaps[1]


def test_a_microphone_that_was_never_there_is_an_error(fake) -> None:
    fake.scripts = ["gone"]
    with pytest.raises(SourceError, match="microphone 'fake' cannot be opened: No such device"):
        list(Microphone(SourceConfig()).blocks())


def test_sound_that_nobody_takes_is_counted_and_the_newest_stays(fake) -> None:
    fake.scripts = [[(block(n), 0) for n in range(10)]]
    source = Microphone(SourceConfig(queue_s=0.3))
    blocks = source.blocks()
    next(blocks)
    assert source.overruns == 7
    source.close()
    assert list(blocks) == []


CODE = """
import sys
import numpy as np
from overtone_edge.core.config import SourceConfig
from overtone_edge.hearing.microphone import Microphone, list_devices
print("DEVICES", [device.name for device in list_devices()])
source = Microphone(SourceConfig(device="default"))
got = []
for samples in source.blocks():
    got.append(samples)
    if sum(map(len, got)) >= 8000:
        source.close()
sound = np.concatenate(got)
print("SOUND", sound.size, float(np.abs(sound).max()))
"""


def test_a_real_portaudio_through_alsa_s_file_plugin(tmp_path: Path, voice) -> None:
    pytest.importorskip("pyaudio")
    raw = tmp_path / "voice.raw"
    raw.write_bytes((voice(20.0) * 32767).astype("<i2").tobytes())
    (tmp_path / ".asoundrc").write_text(
        f'pcm.!default {{ type file slave.pcm null file /dev/null infile "{raw}" format raw }}\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert "default" in lines["DEVICES"]
    size, peak = lines["SOUND"].split()
    assert int(size) >= 8_000 and float(peak) > 0.05
