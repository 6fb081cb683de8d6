"""Updates: exact in f32, saturating in f16, and refused with a code when they do not fit the round."""

import dataclasses
import warnings

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overtone_protocol import (
    Limits,
    MessageError,
    ProtocolError,
    Update,
    UpdateError,
    check_update,
    decode,
    decode_update,
    encode_update,
)
from overtone_protocol.errors import UPDATE_CODES

finite = hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
ROUND = {"round_id": b"r" * 16, "base": b"b" * 32, "layout": b"l" * 32, "front_end": b"f" * 32}


def make(delta=(0.5, -0.25), **changes) -> Update:
    update = Update(
        update_id=b"i" * 16,
        device="pi-1",
        scope="head",
        examples=5,
        steps=20,
        loss_before=1.5,
        loss_after=1.0,
        encoding="f32",
        delta=np.asarray(delta, np.float32),
        **ROUND,
    )
    return dataclasses.replace(update, **changes)


def same(one: Update, other: Update) -> bool:
    names = [field.name for field in dataclasses.fields(Update) if field.name != "delta"]
    return all(getattr(one, name) == getattr(other, name) for name in names)


@given(finite)
def test_f32_comes_back_to_the_bit(delta):
    update = make(delta)
    read = decode_update(encode_update(update))
    assert same(read, update)
    assert read.delta.dtype == np.float32
    assert read.delta.tobytes() == delta.tobytes()


@given(finite)
def test_f16_is_the_nearest_half_and_saturates(delta):
    read = decode_update(encode_update(make(delta, encoding="f16"))).delta
    assert read.dtype == np.float32
    assert np.isfinite(read).all()
    clipped = np.clip(delta, -65504, 65504)
    assert np.all(np.abs(read - clipped) <= np.maximum(np.abs(clipped) * 2.0**-11, 2.0**-25))


def test_the_wire_is_little_endian():
    assert cbor2.loads(encode_update(make([1.0])))["delta"] == bytes.fromhex("0000803f")
    assert cbor2.loads(encode_update(make([1.0], encoding="f16")))["delta"] == bytes.fromhex("003c")


def test_f16_halves_the_size():
    delta = np.zeros(1000, np.float32)
    assert len(encode_update(make(delta))) - len(encode_update(make(delta, encoding="f16"))) == 2000


@given(st.sampled_from(["f32", "f16"]), st.binary(max_size=64))
def test_any_delta_bytes_are_weights_or_a_protocol_error(encoding, data):
    content = cbor2.loads(encode_update(make(encoding=encoding)))
    content["delta"] = data
    width = 4 if encoding == "f32" else 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            update = decode_update(cbor2.dumps(content))
        except MessageError as error:
            assert len(data) % width
            assert f"not a multiple of {width}" in str(error)
            return
        assert update.delta.size == len(data) // width
        try:
            check_update(update, **ROUND, size=update.delta.size)
        except UpdateError as error:
            assert error.code in {"not-finite", "norm-too-large"}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_update_or_a_protocol_error(data):
    with pytest.raises(ProtocolError):
        decode_update(data)


@given(st.data())
def test_a_damaged_update_is_an_update_or_a_protocol_error(data):
    damaged = bytearray(encode_update(make()))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_update(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
        decode_update(bytes(damaged))
    except ProtocolError:
        pass


def test_size_is_checked_before_anything_is_parsed():
    limits = Limits(max_update_bytes=1000)
    with pytest.raises(MessageError, match=r"^update is 1001 bytes, limit is 1000$"):
        decode_update(b"\xff" * 1001, limits)
    with pytest.raises(MessageError, match=r"limit is 1000$"):
        encode_update(make(np.zeros(240, np.float32)), limits)


def test_an_update_is_no_message_and_a_message_no_update(vectors):
    with pytest.raises(MessageError, match="unknown kind 'update'"):
        decode(encode_update(make()))
    with pytest.raises(MessageError, match="kind is 'presence', it must be 'update'"):
        decode_update(bytes.fromhex(vectors["messages"][0]["cbor"]))


@pytest.mark.parametrize("delta", [np.zeros((2, 2), np.float32), np.zeros(2)])
def test_delta_is_flat_float32(delta):
    with pytest.raises(MessageError, match="delta must be flat float32"):
        encode_update(dataclasses.replace(make(), delta=delta))


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"round_id": b"x" * 16}, "wrong-round", "the round has 7272"),
        ({"base": b"x" * 32}, "wrong-base", "update has 7878"),
        ({"layout": b"x" * 32}, "wrong-layout", "the round has 6c6c"),
        ({"front_end": b"x" * 32}, "wrong-front-end", "the round has 6666"),
        ({"delta": np.zeros(3, np.float32)}, "wrong-size", "update has 3 weights, the round has 2"),
        ({"delta": np.array([0, np.nan], np.float32)}, "not-finite", "weight 1 of the update is nan"),
        ({"delta": np.array([-np.inf, 0], np.float32)}, "not-finite", "weight 0 of the update is -inf"),
        ({"delta": np.array([1e9, 0], np.float32)}, "norm-too-large", "1e+09, limit is 1000"),
        ({"delta": np.array([3e38, 3e38], np.float32)}, "norm-too-large", "4.24264e+38, limit is 1000"),
        ({"examples": 0}, "too-few-examples", "update has 0, limit is 1"),
    ],
)
def test_an_update_that_does_not_fit_is_refused_with_a_code(changes, code, says):
    read = decode_update(encode_update(make(**changes)))
    with pytest.raises(UpdateError) as caught:
        check_update(read, **ROUND, size=2)
    assert caught.value.code == code
    assert code in UPDATE_CODES
    assert str(caught.value).startswith(f"{code}: ")
    assert says in str(caught.value)


def test_what_is_not_finite_survives_f16_so_that_the_check_sees_it():
    read = decode_update(encode_update(make([np.nan, np.inf, -np.inf], encoding="f16")))
    assert np.isnan(read.delta[0])
    assert read.delta[1:].tolist() == [np.inf, -np.inf]


def test_an_update_that_fits_passes_and_the_norm_limit_is_inclusive():
    check_update(make(), **ROUND, size=2)
    check_update(make([3.0, 4.0]), **ROUND, size=2, limits=Limits(max_norm=5.0))
    with pytest.raises(UpdateError, match=r"norm of the update is 5, limit is 4\.9"):
        check_update(make([3.0, 4.0]), **ROUND, size=2, limits=Limits(max_norm=4.9))
