"""The device's side of a round, without clock, network or training."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_edge.fleet.rounds import MAX_OUTBOX_UPDATES, Backoff, Readiness, RoundClient, TrainingReport
from overtone_edge.state.assignment import AssignmentStore
from overtone_edge.state.outbox import Outbox
from overtone_protocol import (
    Assembly,
    Chunk,
    Offer,
    Receipt,
    RoundCall,
    RoundReply,
    UpdateError,
    Wanted,
    decode,
    decode_update,
    encode,
)
from overtone_protocol.errors import DECLINE_CODES

BASE, LAYOUT, FRONT_END = (bytes([n]) * 32 for n in (1, 2, 3))
CALL = RoundCall(
    round=5,
    round_id=b"r" * 16,
    scope="head",
    base=BASE,
    layout=LAYOUT,
    steps=10,
    learning_rate=0.1,
    momentum=0.9,
    seed=1,
    deadline_s=60.0,
    max_norm=10.0,
)
READINESS = Readiness(base=BASE, layout=LAYOUT, front_end=FRONT_END, examples=20)
REPORT = TrainingReport(np.linspace(-1, 1, 100, dtype=np.float32), 20, 1.5, 1.0)


class Device:
    """A federation with its folder; `restart` makes a new one on the same folder."""

    def __init__(self, folder: Path, **values) -> None:
        self.folder = folder
        self.assignments = AssignmentStore(folder / "rounds.json")
        self.outbox = Outbox(folder / "outbox")
        self.federation = RoundClient("device-a", self.assignments, self.outbox, **{"min_examples": 4, **values})

    def restart(self) -> "Device":
        return Device(self.folder)

    def call(self, call: RoundCall = CALL, readiness: Readiness = READINESS, now_s: float = 0.0) -> list:
        return self.federation.call(call, readiness, received_s=1000.0, now_s=now_s)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_a_round_from_call_to_receipt(device: Device) -> None:
    assert device.call() == [RoundReply(device="device-a", round_id=CALL.round_id, joining=True, reason="")]
    (offer,) = device.federation.finished(REPORT, READINESS, 1.0)
    assert isinstance(offer, Offer) and offer.round_id == CALL.round_id
    chunks = device.federation.wanted(Wanted(offer.transfer, [(0, offer.chunks - 1)]), 1.1)
    assembly = Assembly(offer.transfer, offer.size, offer.chunk_size, offer.chunks)
    for chunk in map(decode, map(encode, chunks)):
        assert isinstance(chunk, Chunk)
        assembly.add(chunk.index, chunk.data)
    update = decode_update(assembly.payload())
    assert np.array_equal(update.delta, REPORT.delta)
    assert (update.device, update.base, update.front_end, update.examples) == ("device-a", BASE, FRONT_END, 20)
    assert device.outbox.entries()
    device.federation.receipt(Receipt(offer.transfer, "accepted"))
    assert device.outbox.entries() == [] and device.assignments.current is None


@pytest.mark.parametrize(
    ("call", "readiness", "reason"),
    [
        (replace(CALL, base=b"x" * 32), READINESS, "wrong-base: "),
        (replace(CALL, layout=b"x" * 32), READINESS, "wrong-layout: "),
        (CALL, Readiness(), "no-bundle: "),
        (
            replace(CALL, scope="full"),
            replace(READINESS, scopes=("head",)),
            "wrong-scope: the call is for full, the installed network learns head",
        ),
        (CALL, replace(READINESS, examples=3), "too-few-examples: there are 3, limit is 4"),
    ],
)
def test_calls_that_are_declined(device: Device, call: RoundCall, readiness: Readiness, reason: str) -> None:
    (reply,) = device.call(call, readiness)
    assert not reply.joining and reply.reason.startswith(reason)
    assert reply.reason.split(":")[0] in DECLINE_CODES
    assert device.assignments.current is None


def test_an_unwilling_device_declines(tmp_path: Path) -> None:
    (reply,) = Device(tmp_path, willing=False).call()
    assert not reply.joining and reply.reason.split(":")[0] == "unwilling" in DECLINE_CODES


def test_the_same_call_again_changes_nothing(device: Device) -> None:
    device.call()
    assignment = device.assignments.current
    (reply,) = device.call(now_s=9.0)
    assert reply.joining and device.assignments.current is assignment
    (offer,) = device.federation.finished(REPORT, READINESS, 10.0)
    reply, again = device.call(now_s=11.0)
    assert reply.joining and again == offer and device.assignments.current is None
    device.federation.receipt(Receipt(offer.transfer, "accepted"))
    (reply,) = device.call(now_s=12.0)
    assert reply.joining and device.assignments.current is None
    assert device.federation.finished(REPORT, READINESS, 13.0) == []


def test_a_newer_round_takes_the_older_one_s_place(device: Device) -> None:
    device.call()
    newer = replace(CALL, round=6, round_id=b"s" * 16)
    device.call(newer)
    assert device.assignments.current is not None and device.assignments.current.call == newer


def test_a_restart_forgets_neither_the_call_nor_the_update(device: Device) -> None:
    device.call()
    again = device.restart()
    assert again.assignments.current == device.assignments.current
    (offer,) = again.federation.finished(REPORT, READINESS, 1.0)
    third = again.restart()
    assert third.federation.connected(0.0) == [offer]
    assert third.call()[1] == offer


def test_offers_are_repeated_with_growing_patience(tmp_path: Path) -> None:
    device = Device(tmp_path, backoff=Backoff(first_s=2.0, longest_s=10.0, draw=lambda: 0.5))
    device.call()
    device.federation.finished(REPORT, READINESS, 0.0)
    times = [tick / 2 for tick in range(1, 90) if device.federation.tick(tick / 2)]
    assert np.diff([0.0, *times]).tolist() == [2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert len(device.federation.connected(44.6)) == 1


def test_no_two_devices_wait_equally_long() -> None:
    draw = random.Random(7).random
    waits = [Backoff(first_s=2.0, longest_s=10.0, draw=draw).wait_s(attempts) for attempts in [1] * 500 + [9] * 500]
    assert all(2.0 <= wait <= 6.0 for wait in waits[:500]) and all(5.0 <= wait <= 15.0 for wait in waits[500:])
    assert len(set(waits)) == 1000


def test_a_large_update_goes_window_by_window(device: Device) -> None:
    device.call()
    report = replace(REPORT, delta=np.random.default_rng(0).normal(size=600_000).astype(np.float32) * 0.001)
    (offer,) = device.federation.finished(report, READINESS, 0.0)
    assembly = Assembly(offer.transfer, offer.size, offer.chunk_size, offer.chunks)
    while not assembly.complete:
        *chunks, last = device.federation.wanted(Wanted(offer.transfer, assembly.missing()), 1.0)
        for message in (*chunks, last):
            if isinstance(message, Chunk):
                assembly.add(message.index, message.data)
        assert assembly.complete or last == offer
    assert decode_update(assembly.payload()).delta.size == 600_000


def test_what_is_not_in_the_outbox_is_not_an_error(device: Device) -> None:
    assert device.federation.wanted(Wanted(b"t" * 32, [(0, 0)]), 0.0) == []
    assert device.federation.receipt(Receipt(b"t" * 32, "duplicate")) is None


def test_a_full_outbox_declines(device: Device) -> None:
    for number in range(MAX_OUTBOX_UPDATES):
        device.outbox.put(bytes([number]) * 16, b"update")
    (reply,) = device.call()
    assert not reply.joining and reply.reason.split(":")[0] == "outbox-full" in DECLINE_CODES


@pytest.mark.parametrize(("value", "code"), [(np.nan, "not-finite"), (1e9, "norm-too-large")])
def test_an_update_that_nobody_would_take_is_not_offered(device: Device, value: float, code: str) -> None:
    device.call()
    with pytest.raises(UpdateError, match=code):
        device.federation.finished(replace(REPORT, delta=np.full(10, value, np.float32)), READINESS, 0.0)
    assert device.outbox.entries() == []
    (reply,) = device.federation.decline(f"failed: {code}")
    assert not reply.joining and device.assignments.current is None
