"""Offers and chunks: every bad one gets its answer, and the ledger counts each update once."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from tests.support.model_doubles import read_weights_bundle
from tests.support.scripted_device import ScriptedDevice

from overtone_cloud.aggregator import journal
from overtone_cloud.aggregator.coordinator import Coordinator
from overtone_cloud.aggregator.message_codec import OutgoingMessage
from overtone_cloud.aggregator.state import ChunkRow, EventRow, RoundRow, Store, TransferRow, UpdateRow
from overtone_protocol import (
    Chunk,
    Message,
    Offer,
    Presence,
    Receipt,
    RoundCall,
    RoundReply,
    Topics,
    Update,
    Wanted,
    decode,
    encode,
    encode_update,
)

TOPICS = Topics("home")


class Desk:
    """A coordinator with an open round of a and b, fed by hand; c is present but not selected."""

    def __init__(self, rig: Any) -> None:
        self.store: Store = rig.store()
        self.coordinator = Coordinator(rig.config, rig.initial)
        self.model = rig.initial.key
        self.now = 100.0
        self.sent: list[OutgoingMessage] = []
        self.apply(self.coordinator.start)
        self.devices = {name: self.device(name, rig) for name in "abc"}
        for name in "ab":
            self.say(name, decode(self.devices[name].presence()), TOPICS.presence(name))
        self.apply(self.coordinator.tick)
        (self.call,) = [m for m in self.heard("a") if isinstance(m, RoundCall)]
        self.say("c", decode(self.devices["c"].presence()), TOPICS.presence("c"))
        self.sent.clear()

    def device(self, name: str, rig: Any) -> ScriptedDevice:
        return ScriptedDevice(
            name,
            lambda *_: None,
            fleet="home",
            model=rig.initial.key,
            read_bundle=read_weights_bundle,
            weights=rig.initial.weights,
            train=lambda _, weights: weights,
        )

    def apply(self, change: Callable[..., list[OutgoingMessage]], *args: Any) -> None:
        with self.store.begin() as session:
            self.sent += change(session, *args, self.now)

    def say(self, name: str, message: Message, topic: str = "") -> None:
        self.apply(self.coordinator.message, topic or TOPICS.up(name), encode(message))

    def heard(self, name: str) -> list[Message]:
        return [decode(out.payload) for out in self.sent if out.topic == TOPICS.down(name)]

    def update(self, name: str = "a", **changes: Any) -> Update:
        made = self.devices[name].make_update(self.call, np.full(50, 0.01, np.float32))
        return replace(made, **changes)

    def offer(self, name: str, payload: bytes, **changes: Any) -> bytes:
        transfer = hashlib.sha256(payload).digest()
        offer = Offer(
            device=name,
            transfer=transfer,
            purpose="update",
            round_id=self.call.round_id,
            size=len(payload),
            chunk_size=100,
            chunks=-(-len(payload) // 100),
        )
        self.say(name, replace(offer, **changes))
        return transfer

    def chunk(self, name: str, payload: bytes, index: int) -> None:
        transfer = hashlib.sha256(payload).digest()
        data = payload[index * 100 : (index + 1) * 100]
        self.say(name, Chunk(device=name, transfer=transfer, index=index, data=data))

    def send(self, name: str, payload: bytes) -> None:
        self.offer(name, payload)
        for index in range(-(-len(payload) // 100)):
            self.chunk(name, payload, index)

    def answer(self, name: str) -> Message:
        return self.heard(name)[-1]

    def receipt(self, name: str) -> Receipt:
        answer = self.answer(name)
        assert isinstance(answer, Receipt), answer
        return answer

    def count(self, table: type) -> int:
        with self.store.begin() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def events(self) -> list[tuple[str, str]]:
        with self.store.begin() as session:
            return [(row.kind, row.detail) for row in session.scalars(select(EventRow).order_by(EventRow.id))]


@pytest.fixture
def desk(make_rig: Callable[..., Any]) -> Iterator[Desk]:
    yield Desk(make_rig(min_devices=2, max_devices=2, quorum=2))


def test_an_update_is_wanted_taken_and_acknowledged_once(desk: Desk) -> None:
    payload = encode_update(desk.update())
    desk.send("a", payload)
    last = -(-len(payload) // 100) - 1
    assert [type(m) for m in desk.heard("a")] == [Wanted, Receipt]
    assert desk.heard("a")[0] == Wanted(transfer=hashlib.sha256(payload).digest(), missing=[(0, last)])
    assert desk.receipt("a").status == "accepted"
    assert (desk.count(UpdateRow), desk.count(ChunkRow)) == (1, 0)
    desk.offer("a", payload)
    assert desk.receipt("a").status == "duplicate"
    desk.chunk("a", payload, 0)
    assert desk.count(UpdateRow) == 1


def test_only_what_is_missing_is_wanted_again_after_a_restart(desk: Desk, make_rig: Callable[..., Any]) -> None:
    payload = encode_update(desk.update())
    desk.offer("a", payload)
    for index in (0, 1, 3, 3):
        desk.chunk("a", payload, index)
    desk.coordinator = Coordinator(
        make_rig(min_devices=2, max_devices=2, quorum=2).config, desk.coordinator.memory.model
    )
    desk.apply(desk.coordinator.start)
    desk.offer("a", payload)
    last = -(-len(payload) // 100) - 1
    assert desk.answer("a") == Wanted(transfer=hashlib.sha256(payload).digest(), missing=[(2, 2), (4, last)])
    for index in range(last + 1):
        desk.chunk("a", payload, index)
    assert desk.receipt("a").status == "accepted"


def test_an_update_is_too_large_before_it_is_stored(desk: Desk) -> None:
    desk.offer("a", bytes(5000))
    assert desk.receipt("a").status == "refused"
    assert desk.receipt("a").reason == "too-large: update is 5000 bytes, limit is 4296"
    assert desk.count(TransferRow) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"delta": np.full(51, 0.01, np.float32)}, "wrong-size: update has 51 weights, the round has 50"),
        ({"delta": np.array([0.1] * 49 + [np.nan], np.float32)}, "not-finite: weight 49 of the update is nan"),
        (
            {"delta": np.full(50, 1e9 / 50**0.5, np.float32)},
            "norm-too-large: norm of the update is 1e+09, limit is 100",
        ),
        ({"examples": 0}, "too-few-examples"),
        ({"base": b"x" * 32}, "wrong-base"),
        ({"layout": b"x" * 32}, "wrong-layout"),
        ({"front_end": b"x" * 32}, "wrong-front-end"),
        ({"round_id": b"x" * 16}, "wrong-round"),
        ({"device": "b"}, "update names the device 'b', its sender is 'a'"),
        ({"scope": "head"}, "update has scope 'head'"),
    ],
)
def test_an_update_that_does_not_fit_is_refused_with_the_reason(
    desk: Desk, changes: dict[str, Any], reason: str
) -> None:
    desk.send("a", encode_update(desk.update(**changes)))
    assert desk.receipt("a").status == "refused"
    assert reason in desk.receipt("a").reason
    assert (desk.count(UpdateRow), desk.count(ChunkRow)) == (0, 0)
    with desk.store.begin() as session:
        assert sum(session.get_one(RoundRow, 1).refused.values()) == 1


def test_bytes_that_are_no_update_are_refused(desk: Desk) -> None:
    desk.send("a", b"\xa0" * 300)
    assert desk.receipt("a").status == "refused"


def test_a_second_update_of_one_round_is_a_duplicate(desk: Desk) -> None:
    desk.send("a", encode_update(desk.update()))
    desk.offer("a", encode_update(desk.update(update_id=b"2" * 16)))
    assert desk.receipt("a").status == "duplicate"
    assert desk.count(UpdateRow) == 1


def test_two_transfers_of_one_round_count_once(desk: Desk) -> None:
    first, second = encode_update(desk.update()), encode_update(desk.update(update_id=b"2" * 16))
    desk.offer("a", first)
    desk.offer("a", second)
    for payload in (first, second):
        for index in range(-(-len(payload) // 100)):
            desk.chunk("a", payload, index)
    statuses = [m.status for m in desk.heard("a") if isinstance(m, Receipt)]
    assert statuses == ["accepted", "duplicate"]
    assert desk.count(UpdateRow) == 1


def test_a_device_that_was_not_called_is_refused(desk: Desk) -> None:
    desk.offer("c", encode_update(desk.update("c")))
    assert desk.receipt("c").reason == "not-selected: round 1 did not call c"


def test_an_unknown_round_is_refused_and_one_that_is_over_is_late(desk: Desk) -> None:
    desk.offer("a", bytes(300), round_id=b"?" * 16)
    assert "wrong-round" in desk.receipt("a").reason
    payload = encode_update(desk.update())
    desk.offer("a", payload)
    desk.chunk("a", payload, 0)
    desk.now += 31
    desk.apply(desk.coordinator.tick)
    assert desk.receipt("a").status == "late"
    assert desk.count(ChunkRow) == 0
    desk.offer("b", bytes(300))
    assert desk.receipt("b").status == "late"
    desk.offer("a", payload)
    assert desk.receipt("a").status == "late"


def test_a_device_may_not_open_too_many_transfers(desk: Desk) -> None:
    for n in range(4):
        desk.offer("a", bytes([n]) * 300)
        assert isinstance(desk.answer("a"), Wanted)
    desk.offer("a", b"5" * 300)
    assert desk.receipt("a").reason == "quota: 4 transfers are open, limit is 4"


@pytest.mark.parametrize("changes", [{"chunks": 5}, {"chunk_size": 60_000}])
def test_an_offer_that_contradicts_itself_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    desk.offer("a", bytes(300), **changes)
    assert desk.receipt("a").reason.startswith("transfer: chunks is")


def test_chunks_that_do_not_make_the_payload_are_refused(desk: Desk) -> None:
    transfer = desk.offer("a", b"x" * 150)
    desk.say("a", Chunk(device="a", transfer=transfer, index=0, data=b"y" * 100))
    desk.say("a", Chunk(device="a", transfer=transfer, index=1, data=b"x" * 50))
    assert "payload has digest" in desk.receipt("a").reason
    transfer = desk.offer("b", b"x" * 150)
    desk.say("b", Chunk(device="b", transfer=transfer, index=7, data=b"y" * 100))
    assert "chunk index is 7" in desk.receipt("b").reason


def test_a_message_under_another_devices_topic_is_noted_and_ignored(desk: Desk) -> None:
    payload = encode_update(desk.update())
    transfer = hashlib.sha256(payload).digest()
    offer = Offer("a", transfer, "update", desk.call.round_id, len(payload), 100, -(-len(payload) // 100))
    desk.apply(desk.coordinator.message, TOPICS.up("b"), encode(offer))
    assert desk.count(TransferRow) == 0 and not desk.heard("a") and not desk.heard("b")
    kind, detail = desk.events()[-1]
    assert kind == "bad-message" and "message is from 'a', the topic is 'b''s" in detail.replace('"', "'")


@pytest.mark.parametrize("payload", [b"", b"\xff" * 10, bytes(70_000), b"\xa1\x64kind\x65offer"])
def test_bytes_that_are_no_message_are_noted(desk: Desk, payload: bytes) -> None:
    desk.apply(desk.coordinator.message, TOPICS.up("a"), payload)
    assert desk.events()[-1][0] == "bad-message"
    assert not desk.sent


def test_messages_on_the_wrong_topic_are_noted(desk: Desk) -> None:
    reply = RoundReply(device="a", round_id=desk.call.round_id, joining=False, reason="")
    desk.say("a", reply, TOPICS.presence("a"))
    assert desk.events()[-1][0] == "bad-message"
    presence = decode(desk.devices["a"].presence())
    assert isinstance(presence, Presence)
    desk.say("a", presence)
    assert desk.events()[-1][0] == "bad-message"
    assert desk.coordinator.memory.round.declined == frozenset()


def test_a_device_that_comes_back_is_called_again(desk: Desk) -> None:
    desk.say("a", decode(desk.devices["a"].presence()), TOPICS.presence("a"))
    assert not desk.heard("a")
    desk.say("a", decode(desk.devices["a"].presence(online=False)), TOPICS.presence("a"))
    desk.say("a", decode(desk.devices["a"].presence()), TOPICS.presence("a"))
    (call,) = desk.heard("a")
    assert isinstance(call, RoundCall) and call.round_id == desk.call.round_id
    desk.say("a", RoundReply(device="a", round_id=desk.call.round_id, joining=False, reason="busy"))
    desk.devices["a"].boot = b"2" * 16
    desk.sent.clear()
    desk.say("a", decode(desk.devices["a"].presence()), TOPICS.presence("a"))
    assert not desk.heard("a")


def test_a_removed_presence_is_an_absent_device(desk: Desk) -> None:
    desk.apply(desk.coordinator.message, TOPICS.presence("c"), b"")
    with desk.store.begin() as session:
        from overtone_cloud.aggregator.registry import candidates

        assert [c.device for c in candidates(session)] == ["a", "b"]


def test_a_transaction_that_was_not_kept_leaves_no_chunk_behind(desk: Desk) -> None:
    payload = encode_update(desk.update())
    desk.offer("a", payload)
    chunk = Chunk(device="a", transfer=hashlib.sha256(payload).digest(), index=0, data=payload[:100])
    memory = desk.coordinator.memory
    with pytest.raises(KeyboardInterrupt), desk.store.begin() as session:
        desk.coordinator.message(session, TOPICS.up("a"), encode(chunk), desk.now)
        raise KeyboardInterrupt
    desk.coordinator.rollback(memory)
    desk.offer("a", payload)
    answer = desk.answer("a")
    assert isinstance(answer, Wanted) and answer.missing[0][0] == 0
    desk.chunk("a", payload, 0)
    assert desk.count(ChunkRow) == 1


def test_the_ledger_gives_back_what_came_in(desk: Desk) -> None:
    delta = np.random.default_rng(3).normal(size=50).astype(np.float32)
    desk.send("a", encode_update(desk.update(delta=delta)))
    with desk.store.begin() as session:
        deltas, examples = journal.contributions(session, 1)
    assert np.array_equal(deltas[0], delta) and examples == (10,)


def test_the_state_lies_in_its_folder(desk: Desk, tmp_path: Path) -> None:
    assert (tmp_path / "state" / "aggregator.sqlite").exists()
