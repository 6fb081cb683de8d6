"""The broker connection as device and aggregator see it: its configuration, messages and protocol.

`overtone_common.mqtt.MqttLink` is the connection over a real broker; tests use a broker in memory instead.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from overtone_common.toml_config import limits


@dataclass(frozen=True, kw_only=True)
class MqttConfig:
    """The [mqtt] section: how to reach the broker.

    A broker on another machine is reached by TLS only, so `ca_file` is needed there; the certificate in `cert_file`
    tells the broker who connects. Between attempts to connect pass `reconnect_min_s`, then twice that and so on, up
    to about `reconnect_max_s`: each process draws its own longest wait, so that a fleet does not return at once.
    """

    host: str = "127.0.0.1"
    port: int = field(default=8883, metadata=limits(1, 65_535))
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = field(default=60, metadata=limits(5, 65_535))
    session_expiry_s: int = field(default=604_800, metadata=limits(60, 2**32 - 2))
    reconnect_min_s: int = field(default=1, metadata=limits(1, 3_600))
    reconnect_max_s: int = field(default=60, metadata=limits(1, 3_600))

    def __post_init__(self) -> None:
        if not _names_a_host(self.host):
            raise ValueError(f"host is {self.host!r}, which names no host")
        if self.reconnect_max_s < self.reconnect_min_s:
            raise ValueError(
                f"reconnect_max_s is {self.reconnect_max_s}, limit is reconnect_min_s = {self.reconnect_min_s} or more"
            )
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file are needed together")
        if self.ca_file is None and not is_loopback(self.host):
            raise ValueError(f"ca_file is missing: host {self.host!r} is another machine, which is reached by TLS only")
        if self.cert_file is not None and self.ca_file is None:
            raise ValueError("ca_file is missing; a certificate is used with TLS only")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own: `localhost`, 127.0.0.0/8, `::1`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _names_a_host(host: str) -> bool:
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _nothing() -> None:
    """Acknowledge a message that needs none."""


@dataclass(frozen=True)
class Delivery:
    """A message from the broker, which delivers it again until `acknowledge` is called.

    Acknowledge after the message's effects are on the disk. Once the connection it came on has ended this does
    nothing: the broker delivers the message again on the next one.
    """

    topic: str
    payload: bytes
    retained: bool = False
    acknowledge: Callable[[], None] = field(default=_nothing, compare=False)


@dataclass(frozen=True)
class Will:
    """The retained message that the broker publishes when the connection is lost."""

    topic: str
    payload: bytes


OnDelivery = Callable[[Delivery], None]
OnConnection = Callable[[bool], None]
"""Called with True when the broker has answered the subscriptions of a new connection, and False when one ends."""


class Link(Protocol):
    """A connection that keeps itself up; every method may be called from any thread."""

    def open(
        self, subscriptions: Sequence[str], on_delivery: OnDelivery, on_connection: OnConnection | None = None
    ) -> None:
        """Begin to connect and return at once; an absent broker is tried again. Callbacks come from another thread."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and answered the subscriptions."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Send a message with QoS 1, to be dropped by the broker after `expiry_s`; return False where it is not taken.

        Whether messages are taken while there is no connection is the link's choice.
        """
        ...

    def close(self) -> None:
        """Send what waits (within a few seconds) and disconnect in order; no will is published."""
        ...
