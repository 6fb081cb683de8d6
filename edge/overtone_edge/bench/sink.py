"""Local sink for QoS 1 messages: accepts one MQTT 5 client on 127.0.0.1 and acknowledges what it publishes.

It stands for the broker where there is none, in a process of its own so that it takes no time from
the agent's interpreter. `python -m overtone_edge.bench.sink` writes its port, then the number of messages.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from typing import IO

from overtone_common.link import MqttConfig, Will
from overtone_common.mqtt import MqttLink
from overtone_edge.core.errors import LinkError

MAX_PACKET_BYTES = 1 << 20
CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
CONNACK = b"\x20\x03\x00\x00\x00"
PINGRESP = b"\xd0\x00"
_WAIT_S = 10.0
_SETTLE_S = 0.2


def serve(stream: IO[bytes], answer: IO[bytes]) -> int:
    """Answer one client's packets until it disconnects; return how many messages were acknowledged."""
    acknowledged = 0
    while (packet := read_packet(stream)) is not None:
        kind, flags, body = packet
        if kind == CONNECT:
            answer.write(CONNACK)
        elif kind == SUBSCRIBE:
            answer.write(b"\x90\x04" + body[:2] + b"\x00\x01")
        elif kind == PINGREQ:
            answer.write(PINGRESP)
        elif kind == PUBLISH and flags & 0x06:
            place = 2 + int.from_bytes(body[:2], "big")
            answer.write(b"\x40\x02" + body[place : place + 2])
            acknowledged += 1
        elif kind == DISCONNECT:
            break
        answer.flush()
    return acknowledged


def read_packet(stream: IO[bytes]) -> tuple[int, int, bytes] | None:
    """Return type, flags and body of a control packet (MQTT 5, 2.1); None at the end or for one too large."""
    head = stream.read(1)
    size, shift = 0, 0
    while head and shift <= 21:
        digit = stream.read(1)
        if not digit:
            return None
        size |= (digit[0] & 0x7F) << shift
        shift += 7
        if not digit[0] & 0x80:
            break
    if not head or size > MAX_PACKET_BYTES:
        return None
    body = stream.read(size)
    return (head[0] >> 4, head[0] & 0x0F, body) if len(body) == size else None


class Sink:
    """The sink's process and an MQTT link to it: `publish(topic, data)`, then `close()` for the count."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "overtone_edge.bench.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        config = MqttConfig(host="127.0.0.1", port=int(self._line()), session_expiry_s=0)
        self._up = threading.Event()
        self.link = MqttLink(
            config,
            client_id="overtone-bench",
            max_message_bytes=65_536,
            error=LinkError,
            will=Will("overtone/1/bench/device/bench/presence", b""),
        )

    def connect(self) -> None:
        """Connect the link; raise LinkError where the sink does not answer."""
        self.link.open(
            ["overtone/1/bench/device/bench/down"], lambda _delivery: None, lambda up: self._up.set() if up else None
        )
        if not self._up.wait(_WAIT_S):
            raise LinkError(f"the local sink did not answer within {_WAIT_S:g} s")
        # The subscription's own packets are not to meet the first block.
        time.sleep(_SETTLE_S)

    def close(self) -> int:
        """Disconnect and end the process; return how many messages it acknowledged."""
        # Closing a connection with unread data resets it, and loses packets in transit.
        time.sleep(_SETTLE_S)
        self.link.close()
        count = self._line()
        self._end()
        return int(count)

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=_WAIT_S)

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line.strip().isdigit():
            raise LinkError("the local sink cannot be started")
        return line.decode()


def main() -> int:
    """Serve one client; end with the parent process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as stream, connection.makefile("wb") as answer:
            sys.stdout.write(f"{serve(stream, answer)}\n")
            sys.stdout.flush()
    return 0


def _end_with_parent() -> None:
    """End this process when standard input ends, whose other end the parent holds."""
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
