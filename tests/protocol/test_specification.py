"""The code, the vectors, the CDDL and docs/protocol.md say the same."""

import dataclasses
import re

import numpy as np
import pytest

from overtone_protocol import (
    DEFAULT_LIMITS,
    MessageError,
    Update,
    decode,
    decode_update,
    encode,
    encode_update,
)
from overtone_protocol.errors import DECLINE_CODES, UPDATE_CODES
from overtone_protocol.messages import MESSAGES
from overtone_protocol.schema import values_of

ALL = {**MESSAGES, Update.kind: Update}


def bare(fields: dict) -> dict:
    """Return a vector's JSON fields with their byte strings as bytes and ranges as tuples."""

    def value(item):
        if isinstance(item, dict):
            return bytes.fromhex(item["hex"])
        return tuple(value(part) for part in item) if isinstance(item, list) else item

    return {name: value(item) for name, item in fields.items()}


def attributes(message: object) -> dict:
    """Return a message's attributes under the names of the wire."""
    values = values_of(message)
    return {"v": 1, "kind": message.kind, "from": values.pop("device", "aggregator"), **values}


def rules(cddl: str) -> dict[str, str]:
    """Return the CDDL's map rules by name."""
    text = re.sub(r";.*", "", cddl)
    return dict(re.findall(r"^([a-z-]+) = \{(.*?)^\}", text, re.M | re.S))


def test_the_vectors_are_what_the_code_makes(examples):
    assert examples.main(["--check"]) == 0


def test_the_check_notices_a_change(examples, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(examples, "PATH", tmp_path / "vectors.json")
    assert examples.main(["--write"]) == 0
    examples.PATH.write_text(examples.PATH.read_text(encoding="utf-8").replace("pi-kitchen", "pi-cellar"))
    assert examples.main(["--check"]) == 1
    assert "--write" in capsys.readouterr().err


def test_every_vector_reads_as_its_fields_and_writes_as_its_bytes(vectors):
    for vector in vectors["messages"]:
        data = bytes.fromhex(vector["cbor"])
        message = decode(data)
        assert attributes(message) == bare(vector["fields"]), vector["name"]
        assert encode(message) == data, vector["name"]
    assert {vector["fields"]["kind"] for vector in vectors["messages"]} == set(MESSAGES)


def test_every_update_vector_reads_and_writes(vectors):
    for vector in vectors["updates"]:
        data = bytes.fromhex(vector["cbor"])
        update = decode_update(data)
        assert np.array_equal(update.delta, np.array(vector["delta"], np.float32))
        fields = bare(vector["fields"])
        assert {**attributes(update), "delta": fields["delta"]} == fields
        assert encode_update(update) == data


def test_every_refused_vector_is_refused(vectors):
    assert len(vectors["refused"]) > 10
    for vector in vectors["refused"]:
        with pytest.raises(MessageError):
            decode(bytes.fromhex(vector["cbor"]))
            pytest.fail(f"{vector['name']} was read")


def test_the_cddl_has_every_kind_with_its_fields(cddl):
    maps = rules(cddl)
    assert set(maps) == set(ALL)
    for kind, message in ALL.items():
        keys = re.findall(r"\b([a-z_]+): ", maps[kind])
        wanted = {field.name for field in dataclasses.fields(message)} - {"device"}
        assert set(keys) == wanted | {"v", "kind", "from"}, kind
        assert len(keys) == len(set(keys))
        assert f'kind: "{kind}"' in maps[kind]
    choice = re.search(r"^message = (.*)$", cddl, re.M)
    assert choice is not None
    assert choice[1].split(" / ") == list(MESSAGES)


def test_the_cddl_has_the_limits_of_the_code(cddl):
    limits = DEFAULT_LIMITS
    for bound in (
        f"size: 1..{limits.max_update_bytes},",
        f"size: 1..{limits.max_bundle_bytes},",
        f"chunk_size: 1..{limits.chunk_bytes},",
        f"chunks: 1..{limits.max_chunks},",
        f"missing: [1*{limits.max_ranges} range]",
        f"indices: [1*{limits.max_fetch} 0..{limits.last_chunk}]",
        f"tstr .size (0..{limits.max_text})",
        f"examples = 0..{limits.max_examples}",
    ):
        assert bound in cddl


def test_every_vector_is_valid_against_the_cddl(cddl, vectors):
    pycddl = pytest.importorskip("pycddl", reason="pycddl is not installed: the CDDL is checked by its keys only")
    schema = pycddl.Schema(cddl)
    for vector in vectors["messages"]:
        schema.validate_cbor(bytes.fromhex(vector["cbor"]))
    payload = pycddl.Schema(cddl.replace("\nmessage =", "\npayload = update\nmessage =", 1))
    for vector in vectors["updates"]:
        payload.validate_cbor(bytes.fromhex(vector["cbor"]))
        with pytest.raises(pycddl.ValidationError):
            schema.validate_cbor(bytes.fromhex(vector["cbor"]))


def test_the_document_names_every_kind_code_and_limit(document):
    for kind in ALL:
        assert f"`{kind}`" in document, kind
    for code in UPDATE_CODES:
        assert f"`{code}`" in document, code
    for field in dataclasses.fields(DEFAULT_LIMITS):
        value = int(getattr(DEFAULT_LIMITS, field.name))
        assert f"| `{field.name}` | {value:,} |" in document, field.name


def test_the_table_of_codes_has_those_of_the_code(document):
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z, -]+) \|", document.split("\n## 11 ")[1].split("\n## ")[0], re.M)
    assert {code for code, where in rows if "round-reply" in where} == set(DECLINE_CODES)
    assert {code for code, where in rows if "receipt" in where} >= set(UPDATE_CODES)


def test_the_hex_in_the_document_is_that_of_the_vectors(document, vectors):
    shown = re.findall(r"^<!-- vector: ([a-z0-9-]+) -->\n+```\n(.*?)```", document, re.M | re.S)
    known = {vector["name"]: vector["cbor"] for vector in vectors["messages"] + vectors["updates"]}
    assert len(shown) >= 4
    for name, text in shown:
        hexes = "".join(line.split("#")[0] for line in text.splitlines())
        assert re.sub(r"\s", "", hexes) == known[name], name
