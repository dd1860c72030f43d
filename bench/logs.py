"""Lines of executions' logs: how many per second are written while the queue does not grow, and how long one takes from
its publisher to a reader of the log over a WebSocket."""

from __future__ import annotations

import json
import math
import threading
import time
from statistics import median

from celery import Celery
from kombu.entity import Exchange, Queue
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet, small_files
from docfleet.cli.management import ORGANIZATION_ID
from docfleet.core.log_events import LogEvent, LogLevel, new_event_id
from docfleet.core.names import QueueName, WorkerType
from docfleet.workers.shared.infrastructure.logging.publisher import BrokerSender, LogPublisher

RATE = 2200
"""Lines offered per second: a tenth more than the target."""
WANTED = 2000
SECONDS, SHORT_SECONDS = 30.0, 5.0
PUBLISHERS = 4
"""Publishers, each with the buffer and the thread that a worker process has."""
END_SECONDS = 60.0
_TICK = 0.02
_TEXT = "document-000123.txt: step 1 (text_extractor) done in 0.12 s"


class Follower(threading.Thread):
    """Reads the log of an execution live; milliseconds from the stamp of each of our lines to its arrival."""

    def __init__(self, fleet: Fleet, execution_id: str) -> None:
        super().__init__(daemon=True)
        self._address = fleet.client.events_address(execution_id, 0, LogLevel.INFO)
        self.millis: list[float] = []
        self.connected = threading.Event()
        self.over = False

    def run(self) -> None:
        """Read until ``over`` is set."""
        url, headers = self._address
        with connect(url, additional_headers=headers, max_size=2**26, proxy=None) as socket:
            self.connected.set()
            while not self.over:
                try:
                    frame = json.loads(socket.recv(timeout=0.5))
                except TimeoutError:
                    continue
                except WebSocketException:
                    return
                now = time.time()
                ours = [line for line in frame.get("events", []) if line["log"] == _TEXT]
                self.millis += [1000 * (now - line["timestamp"]) for line in ours]


def measure(*, short: bool) -> Report:
    """A steady flow of lines of one execution that stays open, through broker, log consumer and backend."""
    seconds = SHORT_SECONDS if short else SECONDS
    # No other worker: the execution stays open, and nothing else uses the machine.
    with Fleet(workers=(WorkerType.LOG_CONSUMER,)) as fleet:
        execution_id = fleet.start(small_files(fleet.folder / "in", 1), NO_OP)
        follower = Follower(fleet, execution_id)
        follower.start()
        if not follower.connected.wait(20):
            raise RuntimeError("the log cannot be followed")
        sent, depths, started = _publish(fleet, execution_id, seconds)
        published = time.monotonic() - started
        deadline = time.monotonic() + END_SECONDS
        while len(follower.millis) < sent and time.monotonic() < deadline:
            time.sleep(0.02)
        took = time.monotonic() - started
        follower.over = True
        if len(follower.millis) != sent:
            raise RuntimeError(f"{len(follower.millis)} of {sent} lines arrived")
    ordered = sorted(follower.millis)
    p95 = ordered[math.ceil(0.95 * sent) - 1]
    half = len(depths) // 2
    growth = max(depths[half:]) - max(depths[:half])
    note = f"{sent} lines offered in {published:.1f} s, all read live after {took:.1f} s"
    return Report(
        [
            Figure("log_lines_per_s", sent / took, "/s", at_least=WANTED, original="6", note=note),
            Figure("log_lag_p95_ms", p95, "ms", at_most=500, note="from publishing to a WebSocket reader"),
            Figure("log_lag_median_ms", median(ordered), "ms", note="the same"),
            Figure("log_queue_messages", max(depths), "", note=f"most that waited; second half {growth:+d}"),
        ]
    )


def _publish(fleet: Fleet, execution_id: str, seconds: float) -> tuple[int, list[int], float]:
    broker = fleet.shared["CELERY_BROKER_BASE_URL"]
    app = Celery("bench", broker=broker, set_as_current=False)
    queue = QueueName.LOGS.value
    app.conf.task_queues = [Queue(queue, Exchange(queue), routing_key=queue)]
    carriers = [LogPublisher(BrokerSender(app)) for _ in range(PUBLISHERS)]
    depths: list[int] = []
    sent, started, looked = 0, time.monotonic(), 0.0
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        while (now := time.monotonic() - started) < seconds:
            while sent < now * RATE:
                carriers[sent % PUBLISHERS].put(_line(fleet, execution_id))
                sent += 1
            if now - looked > 0.5:
                looked = now
                depths.append(int(channel.client.llen(queue)))
            time.sleep(_TICK)
    for carrier in carriers:
        if not carrier.close(END_SECONDS):
            raise RuntimeError("lines were left at the publisher")
    return sent, depths, started


def _line(fleet: Fleet, execution_id: str) -> LogEvent:
    return LogEvent(
        event_id=new_event_id(),
        timestamp=time.time(),
        execution_id=execution_id,
        organization_id=ORGANIZATION_ID,
        stage="TOOL",
        log=_TEXT,
        step=1,
        channel=execution_id,
    )
