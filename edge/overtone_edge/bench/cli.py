"""`overtone-bench`: latency, memory and training time of the agent on this machine.

Everything is measured with the agent's own parts, in fresh processes, one thread: cold start, each
stage of a hop of 100 ms at real pace and as fast as possible, memory, training, and listening while
training. Events go through MQTT (QoS 1, no TLS) to a sink on 127.0.0.1, which acknowledges them.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from overtone_common.audio import SAMPLE_RATE_HZ
from overtone_edge import __version__
from overtone_edge.bench.figures import spread, table
from overtone_edge.bench.hooks import BLOCK_MS, deadline_ms
from overtone_edge.bench.machine import describe, health
from overtone_edge.bench.phases import Request, measure
from overtone_edge.core.errors import AgentError, TrustError
from overtone_edge.core.files import read_limited
from overtone_edge.hearing.audio import check_length, read_blocks
from overtone_edge.hearing.runtime import runtime_name
from overtone_edge.install.trust import MAX_SIGNED_BYTES, TrustStore
from overtone_models import loops
from overtone_models.archive import unpack
from overtone_models.bundle import Bundle, read_bundle
from overtone_models.errors import BundleError, ModelError, PretrainedError
from overtone_models.front_end import F32
from overtone_models.gate import speech_span
from overtone_models.network import NetworkSpec
from overtone_models.network_spec import EdgeTcnSpec
from overtone_models.pretrained import file_or_pretrained, find_pretrained

FORMAT = 1
COLD_STARTS = 5
MAX_SECONDS = 3_600.0


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and return the exit status; every error is one line on standard error."""
    arguments = build_parser().parse_args(argv)
    try:
        report = run(arguments)
    except (AgentError, ModelError) as error:
        print(f"overtone-bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\novertone-bench: interrupted; no measurement was completed", file=sys.stderr)
        return 130
    try:
        print(json.dumps(report, indent=1) if arguments.json else table(report), flush=True)
    except BrokenPipeError:
        # The reader has closed the pipe: buffered output must not be written again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="overtone-bench", description=__doc__)
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="signed or not, or a pretrained model's name")
    parser.add_argument("--root", type=Path, metavar="FILE", help="root.json: check the signature first")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="speech (default: the bundle's golden clip)")
    parser.add_argument("--seconds", type=_seconds, default=30.0, metavar="N", help="of sound (default 30)")
    parser.add_argument("--json", action="store_true", help="print JSON (schema: docs/bench.schema.json)")
    parser.add_argument("--no-training", action="store_true", help="leave training out")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--paced", action="store_true", help="only at real pace")
    pace.add_argument("--fast", action="store_true", help="only as fast as possible")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 1.0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} seconds, limit is 1..{MAX_SECONDS:g}")
    return value


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The bundle that is measured: its unsigned bytes, and whether its signature was checked."""

    file: Path
    payload: bytes
    bundle: Bundle
    signature: str


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    subject = open_bundle(chosen_bundle(arguments.bundle), arguments.root)
    clip = read_clip(arguments.wav, subject.bundle, arguments.seconds)
    first, last = speech_span(clip, subject.bundle.manifest.gate)
    held_open = first == last
    with tempfile.TemporaryDirectory(prefix="overtone-bench-", ignore_cleanup_errors=True) as folder:
        request = _request(Path(folder), subject, clip, arguments.seconds, held_open)
        before, machine = health(), describe()
        figures = _phases(request, arguments)
        after = health()
    return {
        "format": FORMAT,
        "software": __version__,
        "runtime": runtime_name(),
        "loops": loops.KIND,
        "machine": machine,
        "health": {"before": before, "after": after},
        "bundle": _described(subject),
        "clip": {
            "source": str(arguments.wav) if arguments.wav else "golden clip",
            "seconds": round(clip.size / SAMPLE_RATE_HZ, 3),
            "gate_held_open": held_open,
        },
        "seconds": arguments.seconds,
        "hop_ms": BLOCK_MS,
        "deadline_ms": deadline_ms(subject.bundle.manifest),
        **figures,
    }


def chosen_bundle(name: Path | None) -> Path:
    """Return the bundle file by its path or a pretrained model's name; the default pretrained model for None."""
    if name is not None:
        return file_or_pretrained(name)
    try:
        return find_pretrained().bundle
    except PretrainedError as error:
        raise PretrainedError(f"{error}; give a bundle with --bundle FILE") from error


def open_bundle(path: Path, root: Path | None) -> Subject:
    """Return a bundle, signed or not; its signature is checked where `root` is given."""
    data = read_limited(path, MAX_SIGNED_BYTES)
    try:
        targets = [value for name, value in unpack(data, MAX_SIGNED_BYTES).items() if name.startswith("targets/")]
        payload, signature = (targets[0], "not checked") if len(targets) == 1 else (data, "absent")
        if root is not None:
            if signature == "absent":
                raise TrustError("not signed, so --root cannot be checked")
            with tempfile.TemporaryDirectory() as folder:
                payload = TrustStore(Path(folder), read_limited(root, 1 << 20)).verify(data)
            signature = "checked"
        return Subject(file=path, payload=payload, bundle=read_bundle(payload), signature=signature)
    except (BundleError, TrustError) as error:
        raise type(error)(f"{path}: {error}") from error


def read_clip(path: Path | None, bundle: Bundle, seconds: float) -> F32:
    """Return at most `seconds` of a recording, or the golden clip; raise SourceError where it cannot be read."""
    if path is None:
        return bundle.golden_samples
    blocks: list[F32] = []
    total, limit = 0, round(seconds * SAMPLE_RATE_HZ)
    for block in read_blocks(path, 1000):
        blocks.append(block)
        total += block.size
        if total >= limit:
            break
    check_length(path, total)
    return np.concatenate(blocks)[:limit]


def _request(folder: Path, subject: Subject, clip: F32, seconds: float, held_open: bool) -> Request:
    payload, sound = folder / "bundle", folder / "clip.s16"
    payload.write_bytes(subject.payload)
    sound.write_bytes(np.clip(np.rint(clip * 32768.0), -32768, 32767).astype("<i2").tobytes())
    return Request(payload=str(payload), clip=str(sound), folder=str(folder), seconds=seconds, gate_held_open=held_open)


def _phases(request: Request, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of each phase, measured one after the other; None for one that is left out."""
    training, paced, fast = not arguments.no_training, not arguments.fast, not arguments.paced
    seconds = f"{request.seconds:g} s"
    phases: list[tuple[str, bool, str, str, Request]] = [
        ("fast", fast, "listening as fast as possible", "listen", replace(request, paced=False)),
        ("paced", paced, f"listening at real pace, {seconds}", "listen", request),
        (
            "paced_while_training",
            paced and training,
            f"listening while training, {seconds}",
            "listen",
            replace(request, training=True),
        ),
        ("training", training, "training steps", "train", request),
    ]
    figures: dict[str, Any] = {"cold_start": _cold_start(request)}
    for key, included, title, phase, settings in phases:
        figures[key] = _without_clock(measure(phase, settings, _progress(title))) if included else None
    return figures


def _cold_start(request: Request) -> dict[str, Any]:
    parts: dict[str, list[float]] = {}
    totals: list[float] = []
    for number in range(1, COLD_STARTS + 1):
        cold = measure("cold", request, _progress(f"cold start {number} of {COLD_STARTS}"))
        last = began = cold["began_ns"]
        for name, moment in cold["moments_ns"].items():
            parts.setdefault(name, []).append((moment - last) / 1e6)
            last = moment
        totals.append((last - began) / 1e6)
    return {"total_ms": spread(totals), "parts_ms": {name: spread(times)["p50"] for name, times in parts.items()}}


def _without_clock(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key != "began_ns"}


def _progress(title: str) -> Callable[[float], None]:
    """Print what is measured now; on a terminal also the seconds so far."""
    print(f"==> {title}", file=sys.stderr, flush=True)
    if not sys.stderr.isatty():
        return lambda _elapsed_s: None
    return lambda elapsed_s: print(f"\r    {elapsed_s:.0f} s\r", end="", file=sys.stderr, flush=True)


def _multiply_adds(network: NetworkSpec) -> int | None:
    """Return the multiply-adds of a hop; None for a window network, whose bundle does not say."""
    return network.multiply_adds(network.hop_frames) if isinstance(network, EdgeTcnSpec) else None


def _described(subject: Subject) -> dict[str, Any]:
    bundle = subject.bundle
    return {
        "file": str(subject.file),
        "name": bundle.manifest.name,
        "version": bundle.manifest.version,
        "digest": bundle.digest,
        "weights": int(bundle.weights.size),
        "multiply_adds_per_hop": _multiply_adds(bundle.manifest.network),
        "streaming_bytes": len(bundle.streaming_model),
        "training_bytes": len(bundle.training_model),
        "signature": subject.signature,
    }


if __name__ == "__main__":
    sys.exit(main())
