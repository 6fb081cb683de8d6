"""A second client, written from docs/protocol.md alone: mosquitto_sub, mosquitto_pub and plain CBOR.

It imports nothing of the project, so what it can do is what the document says.
"""

import hashlib
import io
import json
import secrets
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import numpy as np

CHUNK = 60_000
WAIT_S = 60.0


class ShellDevice:
    """One device; `take_part` goes through a whole round."""

    def __init__(self, folder: Path, *, name: str, fleet: str, port: int, certificates: Path) -> None:
        self.folder, self.name = folder, name
        self.root = f"overtone/1/{fleet}"
        self.mine = f"{self.root}/device/{name}"
        self._connection = ["-V", "5", "-h", "127.0.0.1", "-p", str(port), "-q", "1"]
        for option, file in (("--cafile", "ca.crt"), ("--cert", "client.crt"), ("--key", "client.key")):
            self._connection += [option, str(certificates / file)]
        self._heard = folder / "heard.txt"
        self._read = 0
        self._listening: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Subscribe with a session that outlives the connection (section 2)."""
        words = ["mosquitto_sub", *self._connection, "-i", secrets.token_hex(12), "-c", "-x", "604800"]
        words += ["-t", f"{self.mine}/down", "-t", f"{self.root}/all/release", "-F", "%t %x"]
        with self._heard.open("wb") as out:
            self._listening = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        """End mosquitto_sub by its own process id."""
        if self._listening is not None:
            self._listening.terminate()
            self._listening.wait(10)

    def send(self, topic: str, retain: bool = False, **fields: Any) -> None:
        """Publish one message on one of the device's own topics."""
        data = cbor2.dumps({"v": 1, "from": self.name, **fields}, canonical=True)
        path = self.folder / "message.cbor"
        path.write_bytes(data)
        words = ["mosquitto_pub", *self._connection, "-t", f"{self.mine}/{topic}", "-f", str(path)]
        subprocess.run([*words, "-r"] if retain else words, check=True, timeout=20)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what arrives, in order, until nothing has come for a minute."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            lines = self._heard.read_text().split("\n")[:-1]
            for line in lines[self._read :]:
                self._read += 1
                end = time.monotonic() + WAIT_S
                yield cbor2.loads(bytes.fromhex(line.split(" ")[1]))
            time.sleep(0.05)

    def expect(self, kind: str) -> dict[str, Any]:
        """Return the next message of a kind; others are passed over."""
        for message in self.messages():
            if message["kind"] == kind:
                return message
        raise AssertionError(f"no {kind} came: {self._heard.read_text()[-300:]}")

    def fetch(self, release: dict[str, Any]) -> bytes:
        """Return the signed file of a release, fetched in windows of 16 chunks (section 9)."""
        chunks: dict[int, bytes] = {}
        while missing := [i for i in range(release["chunks"]) if i not in chunks]:
            window = missing[:16]
            self.send("up", kind="fetch", bundle=release["bundle"], indices=window)
            while not set(window) <= set(chunks):
                chunk = self.expect("chunk")
                assert (chunk["from"], chunk["transfer"]) == ("aggregator", release["bundle"])
                chunks[chunk["index"]] = chunk["data"]
        signed = b"".join(chunks[i] for i in range(release["chunks"]))
        assert hashlib.sha256(signed).digest() == release["bundle"]
        return signed

    def take_part(self, delta_of: Any) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
        """Announce the released model, take the round's call and deliver `delta_of(size)`; return the receipt."""
        release = self.expect("release")
        manifest, weights = read_signed(self.fetch(release))
        base = hashlib.sha256(weights.astype("<f4").tobytes()).digest()
        assert base == release["base"]
        digests = {name: bytes.fromhex(manifest[name]["digest"]) for name in ("layout", "front_end")}
        self.send(
            "presence",
            retain=True,
            kind="presence",
            online=True,
            boot=secrets.token_bytes(16),
            software="shell",
            runtime="none",
            bundle=release["bundle"],
            bundle_version=release["version"],
            base=base,
            examples=9,
            held_out=0,
            **digests,
        )
        call = self.expect("round-call")
        self.send("up", kind="round-reply", round_id=call["round_id"], joining=True, reason="")
        head = sum(int(np.prod(t["shape"])) for t in manifest["layout"]["tensors"] if t["head"])
        delta = delta_of(head if call["scope"] == "head" else weights.size).astype("<f4")
        update = {
            "v": 1,
            "kind": "update",
            "from": self.name,
            "update_id": secrets.token_bytes(16),
            "round_id": call["round_id"],
            "scope": call["scope"],
            "base": base,
            **digests,
            "examples": 9,
            "steps": call["steps"],
            "loss_before": 1.5,
            "loss_after": 1.0,
            "encoding": "f32",
            "delta": delta.tobytes(),
        }
        return self.deliver(cbor2.dumps(update, canonical=True), call["round_id"]), delta

    def deliver(self, payload: bytes, round_id: bytes) -> dict[str, Any]:
        """Offer a payload, send what is wanted, and return the receipt (section 7)."""
        transfer = hashlib.sha256(payload).digest()
        pieces = [payload[i : i + CHUNK] for i in range(0, len(payload), CHUNK)]
        self.send(
            "up",
            kind="offer",
            transfer=transfer,
            purpose="update",
            round_id=round_id,
            size=len(payload),
            chunk_size=CHUNK,
            chunks=len(pieces),
        )
        for first, last in self.expect("wanted")["missing"]:
            for index in range(first, last + 1):
                self.send("up", kind="chunk", transfer=transfer, index=index, data=pieces[index])
        receipt = self.expect("receipt")
        assert receipt["transfer"] == transfer
        return receipt


def read_signed(signed: bytes) -> tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.float32]]]:
    """Return bundle.json and the flat weights of a signed file (section 9)."""
    with zipfile.ZipFile(io.BytesIO(signed)) as outer:
        target = next(name for name in outer.namelist() if name.startswith("targets/"))
        with zipfile.ZipFile(io.BytesIO(outer.read(target))) as inner:
            weights = np.load(io.BytesIO(inner.read("weights.npy")), allow_pickle=False)
            return json.loads(inner.read("bundle.json")), weights
