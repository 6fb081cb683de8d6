"""The agent works where TensorFlow, Keras, librosa and the cloud's packages cannot even be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from overtone_edge.agent.cli import main

PACKAGES = [str(Path(__file__).parents[2] / name) for name in ("common", "edge", "models", "protocol")]

CODE = """
import sys, resource
class Blocked:
    names = {"tensorflow", "keras", "tensorflow_federated", "librosa", "overtone_cloud", "overtone_converters"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names or name.startswith("overtone_models.networks"):
            raise ImportError(f"{name} is blocked")
        return None
sys.meta_path.insert(0, Blocked())
sys.path[:0] = sys.argv[1].split(":")
from overtone_edge.agent.cli import main
status = main(sys.argv[2:])
loaded = [name for name in ("tuf", "soundfile", "pyaudio", "paho.mqtt.client", "cryptography") if name in sys.modules]
with open("/proc/self/status") as file:
    peak_kb = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
print("LOADED", ",".join(loaded), peak_kb, file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture
def isolated(make_config, fleet, recording):
    path = make_config(
        '[source]\nkind = "file"\npath = "speech.wav"\npaced = false\n'
        "[decision]\nthreshold = 0.0\n[output]\nstdout = true\n"
    )
    assert main(["install", str(fleet.path(1)), "--config", str(path)]) == 0

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-c", CODE, ":".join(PACKAGES), *command, "--config", str(path)],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.environ["PATH"]},
        )

    return run


def test_listening_needs_no_tensorflow_and_little_memory(isolated) -> None:
    done = isolated("run")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["final"] for event in events].count(True) == 2
    loaded, peak_kb = done.stderr.splitlines()[-1].split()[1:]
    assert loaded == "soundfile"
    assert int(peak_kb) < 80_000


def test_learning_needs_no_tensorflow_either(isolated, tmp_path, voice) -> None:
    import soundfile

    rows = ["path,label"]
    for n in range(8):
        soundfile.write(tmp_path / f"{n}.wav", voice(1.0, pitch_hz=110.0 + 110 * (n % 2) + n, seed=n), 16_000)
        rows.append(f"{n}.wav,{'happy' if n % 2 else 'sad'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    assert isolated("label", "--manifest", str(tmp_path / "labels.csv")).returncode == 0
    done = isolated("personalise")
    assert done.returncode == 0, done.stderr
    assert "8 of 8 examples, each judged by a head that did not learn from it" in done.stdout
