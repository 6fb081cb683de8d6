"""The control socket: the owner's alone, one JSON line each way."""

import os
import socket
import threading
from pathlib import Path

import pytest

from overtone_edge.agent.control import MAX_LINE_BYTES, ControlServer, ask
from overtone_edge.core.errors import ControlError


@pytest.fixture
def serve(tmp_path: Path):
    servers: list[ControlServer] = []

    def serve(handler) -> Path:
        deep = tmp_path / ("d" * 100) / ("e" * 60)
        deep.mkdir(parents=True, exist_ok=True)
        servers.append(ControlServer(deep / "agent.sock", handler))
        servers[-1].start()
        return deep / "agent.sock"

    yield serve
    for server in servers:
        server.close()


def test_a_request_and_its_answer(serve) -> None:
    path = serve(lambda request, reply: reply({"ok": True, "echo": request}))
    assert ask(path, {"command": "status"}) == {"ok": True, "echo": {"command": "status"}}
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_answer_may_come_later_from_another_thread(serve) -> None:
    path = serve(lambda _request, reply: threading.Timer(0.05, reply, [{"ok": True, "late": 1}]).start())
    assert ask(path, {}) == {"ok": True, "late": 1}


def test_a_refusal_is_an_error(serve) -> None:
    path = serve(lambda _request, reply: reply({"ok": False, "error": "no bundle is installed"}))
    with pytest.raises(ControlError, match="no bundle is installed"):
        ask(path, {})


def test_without_an_agent_there_is_no_answer(tmp_path: Path) -> None:
    assert ask(tmp_path / "agent.sock", {}) is None
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(os.path.relpath(tmp_path / "agent.sock"))
    dead.close()
    assert ask(tmp_path / "agent.sock", {}) is None


@pytest.mark.parametrize("line", [b"not json\n", b"[1]\n", b"[" * 50_000 + b"\n", b"x" * (MAX_LINE_BYTES + 10) + b"\n"])
def test_what_is_no_request_is_hung_up_on(serve, line: bytes) -> None:
    calls = []
    path = serve(lambda request, _reply: calls.append(request))
    descriptor = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"/proc/self/fd/{descriptor}/agent.sock")
        try:
            client.sendall(line)
            assert client.recv(10) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass
    os.close(descriptor)
    assert calls == []
