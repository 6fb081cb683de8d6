"""Scripted device for tests: implements the protocol, and trains by a formula.

It is independent of the transport: `send(topic, payload, retain)` is passed in, and received messages to `receive`.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from overtone_cloud.aggregator.averaging import F32
from overtone_cloud.aggregator.cohort import ModelKey
from overtone_models.layout import weights_digest
from overtone_protocol import (
    Assembly,
    Chunk,
    Fetch,
    Health,
    Limits,
    Message,
    Offer,
    Presence,
    Receipt,
    Release,
    RoundCall,
    RoundReply,
    Topics,
    Update,
    Wanted,
    chunk_count,
    decode,
    encode,
    encode_update,
    expand,
    split,
)

Send = Callable[[str, bytes, bool], None]
Train = Callable[[RoundCall, F32], F32]
"""From the call and the weights to a delta of the call's scope."""


class ScriptedDevice:
    """One device; `outbox` holds encoded updates by their digest until their receipt comes."""

    def __init__(
        self,
        device: str,
        send: Send,
        *,
        fleet: str,
        model: ModelKey,
        read_bundle: Callable[[bytes], F32],
        weights: F32,
        train: Train,
        examples: int = 10,
        limits: Limits | None = None,
        chunk_size: int = 60_000,
    ) -> None:
        self.device = device
        self.topics = Topics(fleet)
        self.model = model
        self.weights = weights
        self.examples = examples
        self.outbox: dict[bytes, tuple[bytes, bytes]] = {}
        self.receipts: list[Receipt] = []
        self.deltas: dict[bytes, F32] = {}
        self.version = 0
        self.bundle: bytes | None = None
        self.boot = hashlib.sha256(device.encode()).digest()[:16]
        self._send = send
        self._read_bundle = read_bundle
        self._train = train
        self._limits = limits or Limits()
        self._chunk_size = chunk_size
        self._download: tuple[Release, Assembly] | None = None

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topics to subscribe to."""
        return self.topics.down(self.device), self.topics.release

    def presence(self, *, online: bool = True) -> bytes:
        """Return the presence (or, not online, the will)."""
        return encode(
            Presence(
                device=self.device,
                online=online,
                boot=self.boot,
                software="scripted",
                runtime="none",
                bundle=self.bundle,
                bundle_version=self.version,
                base=self.model.base,
                layout=self.model.layout,
                front_end=self.model.front_end,
                examples=self.examples,
                held_out=0,
            )
        )

    def connected(self) -> None:
        """Publish the presence and offer all updates without a receipt; to be called on every connection."""
        self._send(self.topics.presence(self.device), self.presence(), True)
        self.offer_again()

    def offer_again(self) -> None:
        """Offer the whole outbox."""
        for transfer in list(self.outbox):
            self._offer(transfer)
        if self._download is not None:
            self._fetch()

    def receive(self, payload: bytes) -> None:
        """Handle one message of the aggregator."""
        message = decode(payload, self._limits)
        match message:
            case RoundCall():
                self._called(message)
            case Wanted(transfer=transfer, missing=missing) if transfer in self.outbox:
                chunks = split(self.outbox[transfer][0], self._chunk_size)
                for index in expand(missing, len(chunks)):
                    self.up(Chunk(device=self.device, transfer=transfer, index=index, data=chunks[index]))
            case Receipt(transfer=transfer):
                self.receipts.append(message)
                self.outbox.pop(transfer, None)
            case Release():
                self._released(message)
            case Chunk():
                self._arrived(message)

    def up(self, message: Message) -> None:
        """Send a message to the aggregator."""
        self._send(self.topics.up(self.device), encode(message, self._limits), False)

    def make_update(self, call: RoundCall, delta: F32) -> Update:
        """Return the update that answers a call."""
        return Update(
            update_id=hashlib.sha256(call.round_id + self.device.encode()).digest()[:16],
            device=self.device,
            round_id=call.round_id,
            scope=call.scope,
            base=call.base,
            layout=call.layout,
            front_end=self.model.front_end,
            examples=self.examples,
            steps=call.steps,
            loss_before=1.0,
            loss_after=0.5,
            encoding="f32",
            delta=delta,
        )

    def put(self, payload: bytes, round_id: bytes) -> bytes:
        """Put an encoded update into the outbox and offer it; return its digest."""
        transfer = hashlib.sha256(payload).digest()
        self.outbox[transfer] = (payload, round_id)
        self._offer(transfer)
        return transfer

    def _called(self, call: RoundCall) -> None:
        if call.base != self.model.base:
            self.up(RoundReply(device=self.device, round_id=call.round_id, joining=False, reason="base: another"))
            return
        self.up(RoundReply(device=self.device, round_id=call.round_id, joining=True, reason=""))
        if call.round_id not in self.deltas:
            self.deltas[call.round_id] = self._train(call, self.weights)
            self.put(encode_update(self.make_update(call, self.deltas[call.round_id])), call.round_id)

    def _offer(self, transfer: bytes) -> None:
        payload, round_id = self.outbox[transfer]
        self.up(
            Offer(
                device=self.device,
                transfer=transfer,
                purpose="update",
                round_id=round_id,
                size=len(payload),
                chunk_size=self._chunk_size,
                chunks=chunk_count(len(payload), self._chunk_size),
            )
        )

    def _released(self, release: Release) -> None:
        if release.bundle == self.bundle:
            return
        assembly = Assembly(release.bundle, release.size, release.chunk_size, release.chunks, self._limits)
        self._download = (release, assembly)
        self._fetch()

    def _fetch(self) -> None:
        if self._download is not None:
            release, assembly = self._download
            indices = assembly.window(self._limits.max_fetch)
            self.up(Fetch(device=self.device, bundle=release.bundle, indices=indices))

    def _arrived(self, chunk: Chunk) -> None:
        if self._download is None or chunk.transfer != self._download[0].bundle:
            return
        release, assembly = self._download
        new = assembly.add(chunk.index, chunk.data)
        if assembly.complete:
            self._install(release, assembly.payload())
        elif new and assembly.received % self._limits.max_fetch == 0:
            self._fetch()

    def _install(self, release: Release, bundle: bytes) -> None:
        self._download = None
        self.weights = self._read_bundle(bundle)
        base = bytes.fromhex(weights_digest(self.weights))
        self.model = replace(self.model, base=base)
        self.bundle, self.version = release.bundle, release.version
        self.up(Health(device=self.device, bundle=release.bundle, version=release.version, state="installed"))
        self._send(self.topics.presence(self.device), self.presence(), True)
