"""Main loop of the aggregator: one thread, one queue, and one worker for evaluating and publishing models.

Every message goes through the same four steps: apply, commit, publish, acknowledge. A process that is killed at any
instant finds all acknowledged messages in the database, and the broker delivers the others again.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy.orm import Session

from overtone_cloud.aggregator.config import AggregatorConfig
from overtone_cloud.aggregator.coordinator import Coordinator
from overtone_cloud.aggregator.errors import StateError
from overtone_cloud.aggregator.gatekeeper import Gatekeeper, ReleasedModel, Verdict
from overtone_cloud.aggregator.message_codec import OutgoingMessage
from overtone_cloud.aggregator.state import Store
from overtone_common.link import Delivery, Link

TICK_S = 0.25
RETRY_MAX_S = 30.0

log = logging.getLogger(__name__)

Change = Callable[[Session, float], list[OutgoingMessage]]


class Clock:
    """Monotonic clock in seconds since 1970."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the time in seconds since 1970."""
        return self._offset + time.monotonic()


class Aggregator:
    """Connects broker, database and gatekeeper, and runs rounds until `stop`."""

    def __init__(
        self,
        config: AggregatorConfig,
        *,
        store: Store,
        link: Link,
        gatekeeper: Gatekeeper,
        initial: ReleasedModel,
        clock: Callable[[], float] | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        self._config = config
        self._store = store
        self._link = link
        self._gatekeeper = gatekeeper
        self._coordinator = Coordinator(config, initial)
        self._clock = clock or Clock()
        self._tick_s = tick_s
        self._queue: queue.SimpleQueue[Delivery | Future[Verdict] | None] = queue.SimpleQueue()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gatekeeper")
        self._verdict_pending = False
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End `run` soon; may be called from any thread or signal handler."""
        self._stopping.set()
        self._queue.put(None)

    def run(self, *, rounds: int | None = None) -> int:
        """Run until `stop`, or until `rounds` rounds have ended and devices had time to fetch the release.

        Returns how many rounds ended. Raises StateError when the database cannot be used at all.
        """
        self._store.lock()
        self._link.open(self._coordinator.subscriptions, self._queue.put)
        try:
            self._commit(self._coordinator.start)
            self._loop(rounds)
        finally:
            self._worker.shutdown(wait=False, cancel_futures=True)
            self._link.close()
        return self._coordinator.memory.ended

    def _loop(self, rounds: int | None) -> None:
        next_tick = time.monotonic()
        linger_until: float | None = None
        while not self._stopping.is_set():
            self._process_next(max(0.0, next_tick - time.monotonic()))
            if time.monotonic() < next_tick:
                continue
            next_tick = time.monotonic() + self._tick_s
            enough = rounds is not None and self._coordinator.memory.ended >= rounds
            self._coordinator.opening = not enough
            self._commit(self._coordinator.tick)
            if enough:
                linger_until = linger_until or time.monotonic() + self._config.aggregator.linger_s
                if time.monotonic() >= linger_until or self._rolled_out():
                    return

    def _process_next(self, timeout_s: float) -> None:
        """Process one message or verdict from the queue."""
        try:
            item = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return
        if isinstance(item, Delivery):
            self._commit(lambda session, now: self._coordinator.message(session, item.topic, item.payload, now))
            item.acknowledge()
        elif item is not None:
            verdict = item.result()
            self._verdict_pending = False
            self._commit(lambda session, now: self._coordinator.verdict(session, verdict, now))

    def _commit(self, change: Change) -> None:
        """Apply a change and commit it, again and again while the database fails; then publish the messages."""
        wait_s = 1.0
        while True:
            memory = self._coordinator.memory
            try:
                with self._store.begin() as session:
                    outgoing = change(session, self._clock())
                    closed = None if self._verdict_pending else self._coordinator.closed_round(session)
                break
            except StateError as error:
                self._coordinator.rollback(memory)
                log.error("%s; trying again in %.0f s", error, wait_s)
                if self._stopping.wait(wait_s):
                    raise
                wait_s = min(2 * wait_s, RETRY_MAX_S)
        for message in outgoing:
            self._link.publish(message.topic, message.payload, retain=message.retain, expiry_s=message.expiry_s)
        if closed is not None:
            self._verdict_pending = True
            self._worker.submit(self._gatekeeper.conclude, closed).add_done_callback(self._queue.put)

    def _rolled_out(self) -> bool:
        """Return whether every online device has installed or refused the newest release."""
        with self._store.begin() as session:
            return not self._coordinator.outdated_devices(session)
