"""Messages: what is written is read back, and nothing but messages is read."""

import contextlib
import dataclasses

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone_protocol import (
    Chunk,
    Fetch,
    Health,
    Limits,
    MessageError,
    Offer,
    Presence,
    ProtocolError,
    Receipt,
    Release,
    RoundCall,
    RoundReply,
    Wanted,
    clip_text,
    decode,
    encode,
    lifetime_s,
    sender,
)
from overtone_protocol.messages import MESSAGES

LIMITS = Limits()
devices = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True).filter(lambda name: name != "aggregator")
digests = st.binary(min_size=32, max_size=32)
tokens = st.binary(min_size=16, max_size=16)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=128)
counts = st.integers(0, 2**32 - 1)
examples = st.integers(0, LIMITS.max_examples)
chunk_sizes = st.integers(1, LIMITS.chunk_bytes)
chunk_counts = st.integers(1, LIMITS.max_chunks)
indices = st.integers(0, LIMITS.last_chunk)
ranges = st.tuples(indices, indices).map(lambda ends: (min(ends), max(ends)))

any_message = st.one_of(
    st.builds(
        Presence,
        devices,
        st.booleans(),
        tokens,
        texts,
        texts,
        st.none() | digests,
        counts,
        st.none() | digests,
        st.none() | digests,
        st.none() | digests,
        examples,
        examples,
    ),
    st.builds(
        RoundCall,
        counts,
        tokens,
        st.sampled_from(["head", "full"]),
        digests,
        digests,
        st.integers(1, 100_000),
        st.floats(0, 100),
        st.floats(0, 1),
        st.integers(0, 2**63 - 1),
        st.floats(0, 2_592_000),
        st.floats(0, 1e9),
    ),
    st.builds(RoundReply, devices, tokens, st.booleans(), texts),
    st.builds(
        Offer,
        devices,
        digests,
        st.just("update"),
        tokens,
        st.integers(1, LIMITS.max_update_bytes),
        chunk_sizes,
        chunk_counts,
    ),
    st.builds(Wanted, digests, st.lists(ranges, min_size=1, max_size=512)),
    st.builds(Chunk, devices | st.just("aggregator"), digests, indices, st.binary(min_size=1, max_size=900)),
    st.builds(Receipt, digests, st.sampled_from(["accepted", "duplicate", "refused", "late"]), texts),
    st.builds(
        Release,
        digests,
        counts,
        st.integers(1, LIMITS.max_bundle_bytes),
        chunk_sizes,
        chunk_counts,
        digests,
        counts,
    ),
    st.builds(Fetch, devices, digests, st.lists(indices, min_size=1, max_size=16)),
    st.builds(Health, devices, digests, counts, st.sampled_from(["installed", "rolled-back", "refused"]), texts),
    st.builds(
        Health,
        devices,
        digests,
        counts,
        st.just("installed"),
        texts,
        st.integers(1, 2**32 - 1),
        st.floats(0.0, 1.0),
        st.floats(0.0, 1e30),
    ),
)

wire_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)

RECEIPT = Receipt(b"\x01" * 32, "accepted")


def refusal(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(MessageError) as caught:
        decode(data, limits)
    return str(caught.value)


def altered(message: object = RECEIPT, **changes: object) -> bytes:
    content = cbor2.loads(encode(message))
    content.update(changes)
    return cbor2.dumps(content)


@given(any_message)
def test_what_is_encoded_is_decoded(message):
    data = encode(message)
    assert decode(data) == message
    assert encode(decode(data)) == data
    assert cbor2.loads(data)["from"] == sender(message)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_protocol_error(data):
    with contextlib.suppress(ProtocolError):
        assert encode(decode(data))


@given(any_message, st.data())
def test_a_damaged_message_is_a_message_or_a_protocol_error(message, data):
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for candidate in (bytes(damaged), bytes(damaged[:cut])):
        with contextlib.suppress(ProtocolError):
            decode(candidate)


@given(any_message, st.data(), wire_values)
def test_a_field_of_any_other_value_is_a_message_or_a_protocol_error(message, data, value):
    content = cbor2.loads(encode(message))
    content[data.draw(st.sampled_from(sorted(content)))] = value
    try:
        decode(cbor2.dumps(content))
    except ProtocolError as error:
        assert "\n" not in str(error)


@given(any_message, st.data())
def test_every_field_is_needed_and_none_may_be_added(message, data):
    content = cbor2.loads(encode(message))
    name = data.draw(st.sampled_from(sorted(set(content) - {"kind"})))
    rest = {key: value for key, value in content.items() if key != name}
    assert refusal(cbor2.dumps(rest)).startswith(f"{message.kind}: field {name} is missing")
    assert refusal(altered(message, surplus=1)).startswith(f"{message.kind}: unknown field 'surplus'")


def test_size_is_checked_before_anything_is_parsed():
    assert refusal(b"\xff" * 70_000) == "message is 70000 bytes, limit is 65536"


def test_the_largest_chunk_fits_in_a_message():
    chunk = Chunk("a" * 63, b"\xff" * 32, LIMITS.last_chunk, bytes(LIMITS.chunk_bytes))
    assert len(encode(chunk)) <= LIMITS.max_message_bytes


def test_the_longest_wanted_fits_in_a_message():
    spans = [(16_000, 16_001)] * LIMITS.max_ranges
    assert len(decode(encode(Wanted(b"\x01" * 32, spans))).missing) == LIMITS.max_ranges


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bytes.fromhex("9b7fffffffffffffff"), "ends too early"),
        (bytes.fromhex("5b7fffffffffffffff"), "ends too early"),
        (b"\x81" * 60_000, "nested deeper than 3"),
        (b"\x99\xff\x00" + bytes(65_280), "more than 4096 CBOR items"),
        (bytes.fromhex("9fff"), "indefinite length"),
        (bytes.fromhex("c074") + b"2026-01-01T00:00:00Z", "CBOR tag"),
        (bytes.fromhex("c249010000000000000000"), "CBOR tag"),
        (bytes.fromhex("f7"), "simple value"),
        (bytes.fromhex("1c"), "reserved form"),
        (bytes.fromhex("0000"), "1 bytes after its end"),
        (bytes.fromhex("a10000"), "not valid CBOR"),
        (bytes.fromhex("a1416100"), "not a CBOR map with text keys"),
        (bytes.fromhex("a1800000"), "bytes after its end"),
        (bytes.fromhex("a18000"), "not valid CBOR"),
        (bytes.fromhex("a2616100616101"), "not valid CBOR"),
        (bytes.fromhex("a161ff00"), "not valid CBOR"),
    ],
)
def test_cbor_outside_the_subset_is_refused(data, says):
    assert says in refusal(data)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "receipt: v is 2, this software supports 1"),
        ({"v": True}, "receipt: v is True, this software supports 1"),
        ({"v": 1.0}, "receipt: v is 1.0, this software supports 1"),
        ({"kind": "pardon"}, "unknown kind 'pardon'"),
        ({"kind": 7}, "unknown kind 7"),
        ({"kind": []}, "unknown kind an array"),
        ({"from": "pi-1"}, "receipt: from is 'pi-1', only aggregator sends this"),
        ({"device": "pi-1"}, "unknown field 'device'"),
        ({"transfer": b"short"}, "receipt: transfer is 5 bytes, it must be 32"),
        ({"transfer": "text"}, "receipt: transfer must be a byte string, got text"),
        ({"status": "maybe"}, "receipt: status is 'maybe', it must be one of accepted"),
        ({"reason": "é" * 257}, "receipt: reason is 514 bytes, limit is 512"),
    ],
)
def test_a_refusal_names_kind_field_and_limit(changes, says):
    assert says in refusal(altered(**changes))


CALL = RoundCall(1, b"r" * 16, "head", b"b" * 32, b"l" * 32, 20, 0.1, 0.9, 1, 60.0, 5.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 101.0, 2**64 - 1, "0.1", True, None])
def test_numbers_are_finite_and_in_range(value):
    assert refusal(altered(CALL, learning_rate=value)).startswith("round-call: learning_rate ")
    with pytest.raises(MessageError, match="learning_rate"):
        encode(dataclasses.replace(CALL, learning_rate=value))


def test_an_integer_stands_for_a_float_and_a_float_not_for_an_integer():
    assert decode(altered(CALL, momentum=1)).momentum == 1.0
    assert "steps must be an integer, got a float" in refusal(altered(CALL, steps=2.0))


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "a+", "ä", "a" * 64, "aggregator", "a\n"])
def test_device_ids_follow_the_pattern(name):
    reply = RoundReply("pi-1", b"r" * 16, True)
    assert refusal(altered(reply, **{"from": name})).startswith("round-reply: device ")


def test_ranges_run_upwards_and_fit_the_limits():
    wanted = Wanted(b"\x01" * 32, [(0, 1)])
    assert "[5, 4], first must not be above last" in refusal(altered(wanted, missing=[[5, 4]]))
    assert "missing[0][1] is 16384, it must lie in 0..16383" in refusal(altered(wanted, missing=[[0, 16384]]))
    assert "missing has 0 items" in refusal(altered(wanted, missing=[]))
    assert "missing[0] has 3 items" in refusal(altered(wanted, missing=[[0, 1, 2]]))
    assert "missing must be an array, got a byte string" in refusal(altered(wanted, missing=b"ab"))


def test_limits_can_be_lowered():
    small = Limits(max_message_bytes=2000, chunk_bytes=10)
    chunk = Chunk("pi-1", b"\x01" * 32, 0, bytes(11))
    assert "chunk: data is 11 bytes, it must be 1..10" in refusal(encode(chunk), small)
    with pytest.raises(ProtocolError, match="limit max_text is 0, it must be positive"):
        Limits(max_text=0)
    with pytest.raises(ProtocolError, match="chunk_bytes is 60000, limit is"):
        Limits(max_message_bytes=60_500)


def test_text_that_is_no_unicode_cannot_be_sent():
    with pytest.raises(MessageError):
        encode(Receipt(b"\x01" * 32, "refused", "\ud800"))


@given(st.text())
def test_clipped_text_always_fits(text):
    clipped = clip_text(text, LIMITS)
    assert "\n" not in clipped
    assert decode(encode(Receipt(b"\x01" * 32, "refused", clipped))).reason == clipped


def test_every_kind_is_in_the_table_under_its_own_name():
    assert all(kind == message.kind for kind, message in MESSAGES.items())
    assert len(MESSAGES) == 10


def test_messages_that_grow_stale_carry_a_lifetime() -> None:
    call = RoundCall(1, bytes(16), "head", bytes(32), bytes(32), 20, 0.05, 0.9, 7, 59.2, 100.0)
    assert lifetime_s(call) == 60
    assert lifetime_s(dataclasses.replace(call, deadline_s=0.1)) == 1
    assert lifetime_s(Chunk("a", bytes(32), 0, b"x")) == 3600
    assert lifetime_s(Receipt(bytes(32), "accepted")) is None
