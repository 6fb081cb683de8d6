"""The link over a real broker: an MQTT 5 session through paho, which no other module imports.

Messages are acknowledged by hand, after their effects are committed. An acknowledgement is bound to the connection
its message came on: packet numbers start anew with the next one, and the broker delivers unacknowledged messages
again there. Each state of the connection is logged once, however often it repeats.
"""

import logging
import random
import ssl
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overtone_common.link import Delivery, MqttConfig, OnConnection, OnDelivery, Will

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

ENVELOPE_BYTES = 1024
"""Allowance for the topic and the MQTT header, added to the payload."""
FLUSH_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How much a link sends at once (`max_in_flight`) and keeps in memory (`max_queued`, 0 for no limit).

    With `keep_offline` messages published without a connection wait in memory for the next one; otherwise they are
    refused, for a sender that decides itself what is worth sending later.
    """

    max_in_flight: int = 20
    max_queued: int = 0
    keep_offline: bool = True


class MqttLink:
    """A persistent MQTT 5 session; fits `overtone_common.link.Link`.

    `client_id` must be stable and must not be guessable: a client that connects with it takes over the session. Raises
    `error` where the certificate files cannot be used.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        client_id: str,
        max_message_bytes: int,
        error: type[Exception],
        will: Will | None = None,
        flow: Flow | None = None,
    ) -> None:
        self._config = config
        self._max_packet_bytes = max_message_bytes + ENVELOPE_BYTES
        self._flow = flow or Flow()
        self._lock = threading.Lock()
        self._connection = 0
        self._unsent = 0
        self._sent = threading.Condition()
        self._up = threading.Event()
        self._last_state = ""
        self._subscriptions: list[tuple[str, int]] = []
        self._on_delivery: OnDelivery = lambda _: None
        self._on_connection: OnConnection = lambda _: None
        self._client = self._make_client(client_id, will, error)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and answered the subscriptions."""
        return self._up.is_set()

    def open(
        self, subscriptions: Sequence[str], on_delivery: OnDelivery, on_connection: OnConnection | None = None
    ) -> None:
        """Begin to connect and return at once; an absent broker is tried again with growing waits."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self._subscriptions = [(topic, 1) for topic in subscriptions]
        self._on_delivery = on_delivery
        self._on_connection = on_connection or self._on_connection
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._config.session_expiry_s
        properties.MaximumPacketSize = self._max_packet_bytes
        self._client.connect_async(
            self._config.host,
            self._config.port,
            keepalive=self._config.keepalive_s,
            clean_start=False,
            properties=properties,
        )
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Send with QoS 1; return False where the message is not taken (no connection, or the queue is full)."""
        from paho.mqtt.client import MQTT_ERR_NO_CONN, MQTT_ERR_SUCCESS
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        if not (self._flow.keep_offline or self.connected):
            return False
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        with self._sent:
            self._unsent += 1
        code = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).rc
        if code in (MQTT_ERR_SUCCESS, MQTT_ERR_NO_CONN):  # without a connection it waits in paho's queue
            return code == MQTT_ERR_SUCCESS or self._flow.keep_offline
        self._settled()
        return False

    def close(self) -> None:
        """Send what waits (within a few seconds) and disconnect in order; no will is published."""
        if self._client.is_connected():
            with self._sent:
                self._sent.wait_for(lambda: self._unsent <= 0, timeout=FLUSH_S)
        self._up.clear()
        self._client.disconnect()
        self._client.loop_stop()

    def _make_client(self, client_id: str, will: Will | None, error: type[Exception]) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        config = self._config
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.max_inflight_messages_set(self._flow.max_in_flight)
        client.max_queued_messages_set(self._flow.max_queued)
        client.reconnect_delay_set(config.reconnect_min_s, _longest_wait_s(config))
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        if config.ca_file is not None:
            client.tls_set_context(_tls(config, error))
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._arrived
        client.on_publish = self._published
        return client

    # Callbacks, in paho's thread

    def _connected(
        self,
        client: "Client",
        _data: Any,
        _flags: "ConnectFlags",
        code: "ReasonCode",
        _properties: "Properties | None",
    ) -> None:
        if code.is_failure:
            self._log_state(logging.WARNING, f"broker {self._address} refuses the connection: {code}")
            return
        self._next_connection()
        if self._subscriptions:
            client.subscribe(self._subscriptions)  # up once the broker has answered: only then do messages arrive
        else:
            self._set_up([])

    def _subscribed(
        self, _client: "Client", _data: Any, _mid: int, codes: "list[ReasonCode]", _properties: "Properties | None"
    ) -> None:
        topics = [topic for topic, _ in self._subscriptions]
        self._set_up([f"{topic} ({code})" for topic, code in zip(topics, codes, strict=False) if code.is_failure])

    def _set_up(self, refused: list[str]) -> None:
        if refused:
            text = f"broker {self._address} refuses the subscription to {', '.join(refused)}"
            self._log_state(logging.WARNING, text)
        else:
            self._log_state(logging.INFO, f"connected to broker {self._address}")
        self._up.set()
        self._on_connection(True)

    def _failed(self, _client: "Client", _data: Any) -> None:
        reason = sys.exc_info()[1]
        self._log_state(logging.WARNING, f"broker {self._address} cannot be reached: {reason}; trying again")

    def _disconnected(
        self,
        _client: "Client",
        _data: Any,
        _flags: "DisconnectFlags",
        code: "ReasonCode",
        _properties: "Properties | None",
    ) -> None:
        self._next_connection()
        if self._up.is_set():
            self._log_state(logging.WARNING, f"disconnected from broker {self._address}: {code}")
        self._up.clear()
        self._on_connection(False)

    def _arrived(self, _client: "Client", _data: Any, message: "MQTTMessage") -> None:
        connection, packet = self._connection, message.mid if message.qos else 0
        self._on_delivery(
            Delivery(
                message.topic,
                bytes(message.payload),
                bool(message.retain),
                lambda: self._acknowledge(connection, packet),
            )
        )

    def _published(
        self, _client: "Client", _data: Any, _mid: int, code: "ReasonCode", _properties: "Properties | None"
    ) -> None:
        if code.is_failure:
            _log.warning("broker %s refused a message: %s", self._address, code)
        self._settled()

    # Their parts

    def _next_connection(self) -> None:
        with self._lock:
            self._connection += 1

    def _acknowledge(self, connection: int, packet: int) -> None:
        with self._lock:
            if packet and connection == self._connection:
                self._client.ack(packet, 1)

    def _settled(self) -> None:
        with self._sent:
            self._unsent -= 1
            self._sent.notify_all()

    @property
    def _address(self) -> str:
        return f"{self._config.host}:{self._config.port}"

    def _log_state(self, level: int, text: str) -> None:
        if text != self._last_state:
            self._last_state = text
            _log.log(level, "%s", text)


def _longest_wait_s(config: MqttConfig) -> int:
    """Return the longest wait between attempts: the configured one and a random half more or less."""
    spread = config.reconnect_max_s // 2
    longest = config.reconnect_max_s + random.randint(-spread, spread)
    return max(config.reconnect_min_s, longest)


def _tls(config: MqttConfig, error: type[Exception]) -> ssl.SSLContext:
    """Return the TLS context; raises `error`, which names the files."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if config.cert_file is not None:
            context.load_cert_chain(config.cert_file, config.key_file)
    except (OSError, ValueError) as problem:  # includes ssl.SSLError
        files = [str(path) for path in (config.ca_file, config.cert_file, config.key_file) if path is not None]
        raise error(f"certificates {', '.join(files)}: {problem}") from problem
    return context
