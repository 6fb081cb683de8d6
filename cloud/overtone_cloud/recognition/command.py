"""The command that makes a benchmark again, with stand-ins for where its data lie."""

import shlex
from typing import TYPE_CHECKING

from overtone_cloud.training.settings import TrainSettings

if TYPE_CHECKING:
    from overtone_cloud.recognition.benchmark import Benchmark

SETTINGS = "settings.toml"


def command_of(benchmark: "Benchmark") -> str:
    """Return a command line that asks for the same; its settings are those that the report lists."""
    from overtone_cloud.recognition.benchmark import PROTOCOLS
    from overtone_cloud.recognition.limits import Limits
    from overtone_cloud.recognition.measures import NAMES

    material, usual = benchmark.material, Limits()
    words = ["overtone", "benchmark", "recognition"]
    for given in benchmark.corpora:
        words += ["--corpus", f"{given.name}=path/to/{given.name}"]
    for name, folds in benchmark.folds.items():
        words += ["--folds", f"{name}={folds}"]
    words += ["--seeds", str(len(benchmark.seeds))]
    words += ["--settings", SETTINGS] if benchmark.settings != TrainSettings() else []
    for name in benchmark.own_settings:
        words += ["--settings", f"{name}={name}-{SETTINGS}"]
    if material.sounds is not None:
        words += ["--sounds", "path/to/sounds"]
    if material.speech is not None:
        words += ["--speech", "path/to/speech"]
    if benchmark.calibration is not None:
        words += ["--calibrate-on", f"{benchmark.calibration.name}=path/to/{benchmark.calibration.name}"]
    if tuple(benchmark.protocols) != PROTOCOLS:
        words += [word for protocol in benchmark.protocols for word in ("--protocol", protocol)]
    if tuple(benchmark.parts) != NAMES:
        words += [word for part in benchmark.parts for word in ("--part", part)]
    for option, value, default in (
        ("--limit-bytes", material.limits.max_bytes, usual.max_bytes),
        ("--limit-multiply-adds", material.limits.max_multiply_adds, usual.max_multiply_adds),
    ):
        words += [option, str(value)] if value != default else []
    return shlex.join([*words, *(["--quick"] if benchmark.quick else [])])
