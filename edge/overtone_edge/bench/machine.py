"""Description and health of the machine; None for what the system does not report."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_VCGENCMD_S = 5.0


def describe() -> dict[str, Any]:
    """Return what is constant while measuring, and the load average of the last minute."""
    return {
        "model": _model(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": round(_kilobytes(Path("/proc/meminfo"), "MemTotal") * 1024 / 1e6, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def health() -> dict[str, Any]:
    """Return temperature (hottest zone), governor and clock of the first core, throttling (Raspberry Pi)."""
    cpufreq = Path("/sys/devices/system/cpu/cpu0/cpufreq")
    clock_khz = _read(cpufreq / "scaling_cur_freq")
    zones = (_read(path) for path in Path("/sys/class/thermal").glob("thermal_zone*/temp"))
    millidegrees = [int(text) for text in zones if text is not None and text.lstrip("-").isdigit()]
    return {
        "temperature_c": max(millidegrees) / 1000 if millidegrees else None,
        "governor": _read(cpufreq / "scaling_governor"),
        "clock_mhz": int(clock_khz) / 1000 if clock_khz is not None and clock_khz.isdigit() else None,
        "throttled": _throttled(),
    }


def resident_mb() -> float:
    """Return this process's resident memory now, in MB of 10^6 bytes."""
    return round(_kilobytes(Path("/proc/self/status"), "VmRSS") * 1024 / 1e6, 2)


def peak_resident_mb() -> float:
    """Return the largest resident memory that this process has had, in MB of 10^6 bytes."""
    return round(_kilobytes(Path("/proc/self/status"), "VmHWM") * 1024 / 1e6, 2)


def _kilobytes(path: Path, name: str) -> int:
    """Return a field of /proc in KiB; 0 where it is absent."""
    for line in (_read(path) or "").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    return 0


def _model() -> str:
    board = _read(Path("/proc/device-tree/model"))
    if board is not None:
        return board.strip("\0")
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _throttled() -> str | None:
    """Return the flags of a Raspberry Pi's firmware, such as 0x0 for "never"."""
    try:
        result = subprocess.run(
            ["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=_VCGENCMD_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip().removeprefix("throttled=") or None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return None
