"""The MQTT 5 link: the only module of the device that imports paho."""

import logging
import random
import ssl
import threading
from typing import Any

from overtone_edge.core.config import MqttConfig
from overtone_edge.core.errors import LinkError
from overtone_edge.fleet.link import Delivery, OnConnection, OnDelivery, Will

_log = logging.getLogger(__name__)

FIRST_RETRY_S = 1
LONGEST_RETRY_S = (30, 90)
"""Each agent draws its own, so that a fleet does not come back in the same instant."""
MAX_IN_FLIGHT = 8
PACKET_MARGIN_BYTES = 1_024
MAX_QUEUED = 512


class MqttLink:
    """A lasting session under the device's id; messages are acknowledged by the agent, after commit."""

    def __init__(
        self,
        config: MqttConfig,
        *,
        client_id: str,
        subscriptions: tuple[str, ...],
        will: Will,
        max_message_bytes: int,
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self._config = config
        self._subscriptions = subscriptions
        self._max_packet_bytes = max_message_bytes + PACKET_MARGIN_BYTES
        self._up = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._client.reconnect_delay_set(FIRST_RETRY_S, random.randint(*LONGEST_RETRY_S))
        self._client.max_inflight_messages_set(MAX_IN_FLIGHT)
        self._client.max_queued_messages_set(MAX_QUEUED)
        self._set_tls()

    def _set_tls(self) -> None:
        config = self._config
        if config.ca_file is None:
            return
        try:
            context = ssl.create_default_context(cafile=str(config.ca_file))
            if config.cert_file is not None:
                context.load_cert_chain(str(config.cert_file), str(config.key_file))
        except (OSError, ValueError) as error:
            raise LinkError(f"[mqtt] certificate files cannot be used: {error}") from error
        self._client.tls_set_context(context)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and answered the subscriptions."""
        return self._up.is_set()

    def start(self, on_delivery: OnDelivery, on_connection: OnConnection) -> None:
        """Begin to connect in the client's own thread; a broker that is absent is waited for."""
        client = self._client

        def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                _log.warning("broker refuses the connection: %s", reason)
                return
            client.subscribe([(topic, _quality()) for topic in self._subscriptions])

        def subscribed(_client: Any, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
            for topic, code in zip(self._subscriptions, codes, strict=False):
                if code.is_failure:
                    _log.warning("broker refuses the subscription to %s: %s", topic, code)
            self._up.set()  # only now does a message to this device reach it
            on_connection(True)

        def disconnected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if self._up.is_set():
                _log.warning("broker connection ended: %s", reason)
            self._up.clear()
            on_connection(False)

        def failed(_client: Any, _data: Any) -> None:
            _log.warning("broker %s:%d does not answer; trying again", self._config.host, self._config.port)

        def arrived(_client: Any, _data: Any, message: Any) -> None:
            on_delivery(Delivery(message.topic, bytes(message.payload), lambda: self._acknowledge(message)))

        client.on_connect, client.on_subscribe, client.on_disconnect = connected, subscribed, disconnected
        client.on_connect_fail, client.on_message = failed, arrived
        client.connect_async(
            self._config.host,
            self._config.port,
            keepalive=self._config.keepalive_s,
            clean_start=False,
            properties=self._connect_properties(),
        )
        client.loop_start()

    def _connect_properties(self) -> Any:
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._config.session_expiry_s
        properties.MaximumPacketSize = self._max_packet_bytes
        return properties

    def _acknowledge(self, message: Any) -> None:
        self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        """Hand a message to the client (QoS 1); return False where it cannot go out."""
        from paho.mqtt.client import MQTT_ERR_SUCCESS
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        if not self._up.is_set():
            return False
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return bool(info.rc == MQTT_ERR_SUCCESS)

    def close(self) -> None:
        """Disconnect in order and end the client's thread."""
        self._up.clear()
        self._client.disconnect()
        self._client.loop_stop()


def _quality() -> Any:
    from paho.mqtt.subscribeoptions import SubscribeOptions

    return SubscribeOptions(qos=1)
