"""Mosquitto on this machine: its binary, its system user, and a child process for demonstration and tests."""

import logging
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from overtone_cloud.broker.configuration import load_settings, write_configuration
from overtone_cloud.errors import BrokerError
from overtone_protocol import AGGREGATOR

OWN_USER = "mosquitto"
"""What Mosquitto runs as when root starts it and its configuration names no other user."""
START_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class Mosquitto:
    """A real broker as a child process on 127.0.0.1, ended by its own process id.

    `port` 0 takes a free one. Started by root it stays root, because the keys are readable to their
    owner only.
    """

    def __init__(self, directory: Path, *, port: int = 0) -> None:
        self.directory = directory.resolve()
        self.host = "127.0.0.1"
        self.port = port
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log_file(self) -> Path:
        """Log file of the broker."""
        return self.directory / "mosquitto.log"

    def start(self) -> None:
        """Start the broker and return when it accepts connections; raises BrokerError when it does not."""
        binary = find_mosquitto()
        settings = load_settings(self.directory)
        self.port = self.port or free_port()
        user = "root" if os.geteuid() == 0 else ""
        settings = replace(settings, port=self.port, bind=self.host, user=user)
        configuration = write_configuration(self.directory, settings, "child.conf")
        with self.log_file.open("ab") as output:
            command = [binary, "-c", str(configuration)]
            try:
                with defer_interrupts():
                    self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
                self._wait_until_it_accepts(self._child)
            except KeyboardInterrupt:
                self.stop()
                raise
        log.debug("mosquitto %d listens on %s:%d", self._child.pid, self.host, self.port)

    def stop(self) -> None:
        """End the broker; it saves sessions and retained messages first."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _wait_until_it_accepts(self, child: subprocess.Popen[bytes]) -> None:
        files = self.directory / "clients" / AGGREGATOR
        context = ssl.create_default_context(cafile=self.directory / "ca.crt")
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end and child.poll() is None:
            try:
                # Mosquitto listens before it has read its certificates: only a handshake proves that it is up.
                context.load_cert_chain(files / "client.crt", files / "client.key")
                with socket.create_connection((self.host, self.port), timeout=1) as plain:
                    context.wrap_socket(plain, server_hostname=self.host).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        last = self.log_file.read_text(errors="replace").strip().splitlines()[-1:]
        raise BrokerError(f"{self.log_file}: mosquitto does not accept connections: {''.join(last)}")


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Defer Ctrl-C while a child process starts, so that none is orphaned; it takes effect at the end of the block."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    deferred: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: deferred.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if deferred:
        before(signal.SIGINT, None)


def find_mosquitto() -> str:
    """Return the path of the mosquitto binary; raise BrokerError where there is none."""
    binary = installed()
    if binary is None:
        raise BrokerError("mosquitto is not installed; on Debian: apt-get install mosquitto")
    return binary


def installed() -> str | None:
    """Return the path of the mosquitto binary, or None; Debian keeps it outside an ordinary user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def default_user() -> str:
    """Return the user that Mosquitto becomes when root starts it; empty where root does not, or there is none.

    Files that only root can read would keep it from starting.
    """
    if os.geteuid() != 0:
        return ""
    try:
        return pwd.getpwnam(OWN_USER).pw_name
    except KeyError:
        return ""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
