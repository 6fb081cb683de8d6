"""Control socket of the running agent for `overtone-agent` commands: a Unix socket, one JSON line each way."""

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from overtone_edge.core.errors import ControlError, LinkError

_log = logging.getLogger(__name__)

MAX_LINE_BYTES = 65_536
MAX_CLIENTS = 16

Reply = Callable[[dict[str, Any]], None]
Handler = Callable[[dict[str, Any], Reply], None]


class ControlServer:
    """Accepts requests in threads of its own; the handler may reply from any thread, at once or later."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._socket: socket.socket | None = None
        self._slots = threading.BoundedSemaphore(MAX_CLIENTS)
        self._closed = False

    def start(self) -> None:
        """Listen on a socket that only the owner can use. The folder must be locked: an old socket is replaced."""
        self._path.unlink(missing_ok=True)
        listening = self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with _short(self._path) as name:
                listening.bind(name)
        except OSError as error:
            raise LinkError(f"{self._path}: {error.strerror or error}") from error
        finally:
            os.umask(before)
        listening.listen(MAX_CLIENTS)
        threading.Thread(target=self._accept, args=(listening,), name="control", daemon=True).start()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, listening: socket.socket) -> None:
        while not self._closed:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            if self._slots.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection,), name="request", daemon=True).start()
            else:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        reply_sent = threading.Event()
        answer: list[dict[str, Any]] = []

        def reply(values: dict[str, Any]) -> None:
            answer.append(values)
            reply_sent.set()

        try:
            with connection:
                connection.settimeout(10.0)
                self._handler(_parse(_read_line(connection)), reply)
                reply_sent.wait()
                connection.sendall(json.dumps(answer[0]).encode() + b"\n")
        except ControlError as error:
            _log.warning("control request refused: %s", error)
        except OSError as error:
            _log.info("control client disconnected: %s", error)
        finally:
            self._slots.release()


def ask(path: Path, request: dict[str, Any], *, timeout_s: float = 30.0) -> dict[str, Any] | None:
    """Return the running agent's answer, None where no agent runs; raise ControlError where it refuses."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with client:
        client.settimeout(timeout_s)
        try:
            with _short(path) as name:
                client.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}") from error
        try:
            client.sendall(json.dumps(request).encode() + b"\n")
            answer = _parse(_read_line(client))
        except OSError as error:
            raise ControlError(f"the agent does not answer: {error}") from error
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error", "the agent refuses the request")))
    return answer


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of the socket that fits into the 108 bytes of a Unix address, however long its path is."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def _read_line(connection: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = connection.recv(4096)
        if not part:
            raise ControlError("the other side closed the connection")
        data += part
        if len(data) > MAX_LINE_BYTES:
            raise ControlError(f"request is longer than {MAX_LINE_BYTES} bytes")
    return bytes(data)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ControlError("a request is one JSON object")
    return values
