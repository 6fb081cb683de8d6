"""The link over a real broker: MQTT 5 through paho, the only module of the cloud that imports it.

Messages are acknowledged by hand, after their effects are committed. An acknowledgement is bound to
the connection its message came on: packet numbers start anew with the next one, and the broker
delivers unacknowledged messages again there.
"""

import logging
import ssl
import sys
import threading
from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from overtone_cloud.aggregator.config import MqttConfig
from overtone_cloud.aggregator.errors import LinkError
from overtone_cloud.aggregator.link import Incoming, OnMessage, OnState

ENVELOPE_BYTES = 1024
FLUSH_S = 5.0

log = logging.getLogger(__name__)


class MqttLink:
    """A persistent MQTT 5 session; `client_id` must be stable and must not be guessable."""

    def __init__(self, config: MqttConfig, *, client_id: str, max_message_bytes: int) -> None:
        self._config = config
        self._max_packet_bytes = max_message_bytes + ENVELOPE_BYTES
        self._connection = 0
        self._unsent = 0
        self._sent = threading.Condition()
        self._last_state = ""
        self._subscriptions: list[tuple[str, int]] = []
        self._on_message: OnMessage = lambda _: None
        self._on_state: OnState = lambda _, __: None
        self._client = self._make_client(client_id)

    def open(self, subscriptions: Sequence[str], on_message: OnMessage, on_state: OnState) -> None:
        """Begin to connect and return at once; an absent broker is tried again with backoff."""
        self._subscriptions = [(topic, 1) for topic in subscriptions]
        self._on_message, self._on_state = on_message, on_state
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

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> None:
        """Send with QoS 1; kept in memory while the broker is away, and by the broker for `expiry_s`."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        with self._sent:
            self._unsent += 1
        self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    def ack(self, incoming: Incoming) -> None:
        """Tell the broker that a message needs not be delivered again."""
        connection, packet = incoming.token
        if connection == self._connection and packet:
            self._client.ack(packet, 1)

    def close(self) -> None:
        """Send what is waiting (within a few seconds) and disconnect."""
        if self._client.is_connected():
            with self._sent:
                self._sent.wait_for(lambda: self._unsent <= 0, timeout=FLUSH_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _make_client(self, client_id: str) -> Client:
        config = self._config
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.reconnect_delay_set(config.reconnect_min_s, config.reconnect_max_s)
        if config.ca_file is not None:
            client.tls_set_context(_tls(config))
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._arrived
        client.on_publish = self._published
        return client

    def _connected(
        self,
        client: Client,
        _data: Any,
        _flags: ConnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._say(False, f"broker {self._address} refuses the connection: {code}")
            return
        self._connection += 1
        if self._subscriptions:
            client.subscribe(self._subscriptions)  # connected once the broker has confirmed it
        else:
            self._say(True, f"connected to broker {self._address}")

    def _subscribed(
        self, _client: Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [
            f"{topic} ({code})" for (topic, _), code in zip(self._subscriptions, codes, strict=False) if code.is_failure
        ]
        if refused:
            self._say(False, f"broker {self._address} refuses the subscription to {', '.join(refused)}")
        else:
            self._say(True, f"connected to broker {self._address}")

    def _failed(self, _client: Client, _data: Any) -> None:
        self._say(False, f"broker {self._address} cannot be reached: {sys.exc_info()[1]}; trying again")

    def _disconnected(
        self,
        _client: Client,
        _data: Any,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connection += 1
        self._say(False, f"disconnected from broker {self._address}: {code}")

    def _arrived(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        token = (self._connection, message.mid if message.qos else 0)
        self._on_message(Incoming(message.topic, bytes(message.payload), bool(message.retain), token))

    def _published(
        self, _client: Client, _data: Any, _mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            log.warning("broker %s refused a message: %s", self._address, code)
        with self._sent:
            self._unsent -= 1
            self._sent.notify_all()

    @property
    def _address(self) -> str:
        return f"{self._config.host}:{self._config.port}"

    def _say(self, connected: bool, text: str) -> None:
        """Report a state once, however often it repeats."""
        if text != self._last_state:
            self._last_state = text
            self._on_state(connected, text)


def _tls(config: MqttConfig) -> ssl.SSLContext:
    """Return the context for a certificate on both sides; raises LinkError naming the file."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(str(config.cert_file), config.key_file)
    except OSError as error:  # includes ssl.SSLError
        files = ", ".join(str(path) for path in (config.ca_file, config.cert_file, config.key_file))
        raise LinkError(f"certificates {files}: {error}") from error
    return context
