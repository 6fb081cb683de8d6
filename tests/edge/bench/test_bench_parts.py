"""The parts of overtone-bench: percentiles, stopwatch, clip, sink."""

import io

import numpy as np
import pytest

from overtone_edge.bench.figures import spread
from overtone_edge.bench.hooks import BLOCK_BYTES, AlwaysSpeech, BlockTimer, ClipSource, TimedRecogniser
from overtone_edge.bench.machine import describe, health, peak_resident_mb, resident_mb
from overtone_edge.bench.sink import CONNACK, PINGRESP, Sink, read_packet, serve
from overtone_edge.hearing.streaming import StreamingRecogniser
from overtone_models.bundle import read_bundle
from overtone_models.gate import GateSpec


def test_spread_is_of_values_that_occurred():
    values = [float(n) for n in range(1, 101)]
    assert spread(values[::-1]) == {"p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0, "count": 100}
    assert spread([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0, "count": 1}
    assert spread([])["count"] == 0


def test_timer_sums_laps_and_counts_late_blocks():
    clock = iter([2_000_000, 3_000_000, 5_000_000, 6_000_000, 101_000_000, 201_500_000])
    timer = BlockTimer(lambda: next(clock))
    timer.begin(1_000_000)
    for stage in ("capture", "gate", "network", "gate"):
        timer.lap(stage)
    timer.end()
    timer.begin(101_000_000)
    timer.end()
    assert list(timer.stages_ms["capture"]) == [1.0]
    assert list(timer.stages_ms["gate"]) == [2.0]
    assert list(timer.stages_ms["network"]) == [2.0]
    assert list(timer.hop_ms) == [100.0]
    assert list(timer.silence_ms) == [100.5]
    assert timer.deadline_misses == 1


@pytest.mark.parametrize("paced", [False, True])
def test_clip_is_repeated_without_a_gap(paced, tmp_path):
    samples = np.arange(2_000, dtype="<i2")
    (tmp_path / "clip").write_bytes(samples.tobytes())
    source = ClipSource(tmp_path / "clip", blocks=3, paced=paced, timer=BlockTimer())
    blocks = list(source.blocks())
    assert [block.size for block in blocks] == [BLOCK_BYTES // 2] * 3
    heard = np.rint(np.concatenate(blocks) * 32768).astype(int)
    assert np.array_equal(heard, np.resize(samples, 4_800))


def test_timed_recogniser_says_what_the_plain_one_says(fleet):
    bundle = read_bundle(fleet.payload(1))
    timer = BlockTimer()
    timed, plain = TimedRecogniser(bundle, timer), StreamingRecogniser(bundle)
    timer.begin(0)
    got = [hop.probabilities for hop in timed.process(bundle.golden_samples)]
    timer.end()
    wanted = [hop.probabilities for hop in plain.process(bundle.golden_samples)]
    assert np.array_equal(got, wanted)
    assert [len(timer.stages_ms[stage]) for stage in ("features", "network", "head")] == [1, 1, 1]


def test_gate_is_held_open_for_silence():
    assert AlwaysSpeech(GateSpec()).votes(np.zeros(480, np.float32)) == [True] * 3


def test_machine_tells_what_it_can():
    machine, now = describe(), health()
    assert machine["cores"] >= 1
    assert machine["memory_mb"] > 0
    assert set(now) == {"temperature_c", "governor", "clock_mhz", "throttled"}
    assert 0 < resident_mb() <= peak_resident_mb()


def test_sink_acknowledges_what_a_real_client_publishes():
    sink = Sink()
    try:
        sink.connect()
        for number in range(50):
            assert sink.link.publish("overtone/1/bench/device/bench/emotion", b"x" * 10 * number)
        assert sink.close() == 50
    finally:
        sink.kill()


def test_sink_answers_packets():
    publish = b"\x32\x08" + b"\x00\x01t" + b"\x00\x07" + b"\x00" + b"ab"
    packets = b"\x10\x00" + publish + b"\xc0\x00" + b"\x30\x04\x00\x01t\x00" + b"\xe0\x00" + publish
    answer = io.BytesIO()
    assert serve(io.BytesIO(packets), answer) == 1
    assert answer.getvalue() == CONNACK + b"\x40\x02\x00\x07" + PINGRESP


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\x30\x80", b"\x30\x05ab", b"\x30\xff\xff\xff\x7f", b"\x30\xff\xff\xff\xff\x7f"]
)
def test_sink_ends_at_a_broken_packet(data):
    assert read_packet(io.BytesIO(data)) is None
