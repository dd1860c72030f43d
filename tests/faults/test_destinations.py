"""Results of a hundred megabytes, holders of a file that die or sleep, deliveries that are not reported, a cache that
is away, files that share a name.

Deaths of a child between delivery and report are in ``test_child_kill.py``; here whole workers are lost, and the tables
are the customer's.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections import Counter
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from docfleet.core.names import QueueName
from tests.acceptance.published import Published
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS, TABLE, FaultRun
from tests.faults.world import BATCHES, World
from tests.waiting import until

LEASE_SECONDS = 15.0
SETTINGS = {"LEASE_SECONDS": str(LEASE_SECONDS)}
"""Long enough for a holder of a file on a machine that stalls."""
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
KILOBYTE, MEGABYTE = 1024, 1024**2


# Big results

BIG_FILES, BIG_BYTES = 2000, 50 * KILOBYTE
MESSAGE_BYTES = 64 * KILOBYTE
GROWTH_BYTES = 16 * MEGABYTE
"""From the first tenth of the results to the last. A child that kept them would need half of a hundred megabytes."""


@pytest.mark.timeout(900)
def test_big_results(world: World) -> None:
    """They go to the destination and nowhere else: no message is large, no worker grows."""
    if world.leg == "rabbitmq":
        world.rabbitmq.control("eval", "application:set_env(rabbit, max_message_size, 1000000).")
    world.rest("file_processing", "callback")
    world.clear(QueueName.FILE_PROCESSING)
    files = {f"{number:04}.txt": f"{number} {uuid.uuid4().hex} ".ljust(BIG_BYTES, "x") for number in range(BIG_FILES)}
    run = world.begin(files, tool={"tool": "passthrough"})
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    sizes = largest_messages(world)
    world.wake("file_processing")
    until(lambda: sum(run.delivered().values()) > BIG_FILES / 10, 300, what="hardly anything was delivered")
    early = peaks(world, "file_processing")
    run.wait(600)
    late = peaks(world, "file_processing")
    # The last report ends the execution; the callback is sent a moment later.
    until(lambda: world.queued(QueueName.FILE_PROCESSING_CALLBACK), what="there is no callback")
    sizes |= largest_messages(world)
    world.wake("callback")
    run.check(dict.fromkeys(files, "COMPLETED"), has_usage=False)
    print(f"largest messages {sizes}; largest resident sizes early {early}, late {late}")
    assert {queue.value for queue in (QueueName.FILE_PROCESSING, QueueName.FILE_PROCESSING_CALLBACK)} <= set(sizes)
    assert max(sizes.values()) < MESSAGE_BYTES
    assert set(late) == set(early) and all(late[pid] < early[pid] + GROWTH_BYTES for pid in early)


def peaks(world: World, *names: str) -> dict[int, int]:
    """The largest resident size so far, in bytes, of each process of these workers."""
    pids = [pid for name in names for pid in (world.members[name].pid, *world.members[name].children())]
    found = {}
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        found[pid] = int(line.split()[1]) * KILOBYTE
    return found


def largest_messages(world: World) -> dict[str, int]:
    """Bytes of the largest message of each queue that has one."""
    found = {}
    with world.channel() as channel:
        for queue in (QueueName.FILE_PROCESSING, QueueName.FILE_PROCESSING_CALLBACK):
            while world.queued(queue) and (message := channel.basic_get(queue.value, no_ack=False)) is not None:
                found[queue.value] = max(found.get(queue.value, 0), len(message.body))
                channel.basic_reject(message.delivery_tag, requeue=True)
                break
    return found


# The holder of a file dies or sleeps


@pytest.mark.parametrize("destination", [pytest.param("sqlite", marks=pytest.mark.short), "files"])
def test_the_holder_of_a_file_dies_while_others_wait_for_it(world: World, destination: str) -> None:
    """Nobody takes a held file as done, nor touches it; when its holder is dead, one of them delivers it."""
    run, holder = hold_before_delivery(world, "03.txt", "hold", destination)
    until(lambda: sum(run.delivered().values()) == len(FILES) - 1, what="the other files are not delivered")
    assert not run.is_final(), "a held file was taken as done"
    assert run.file("03.txt")["attempt"] == 1, "a held file was given to another"
    os.killpg(os.getpgid(holder), signal.SIGKILL)
    world.disarm()
    run.check(COMPLETED)
    assert run.file("03.txt")["attempt"] == 2


@pytest.mark.parametrize("destination", ["sqlite", "postgres", "files"])
def test_the_holder_of_a_file_sleeps_through_its_lease(world: World, destination: str) -> None:
    """Its successor delivers. When it wakes up it writes nothing: not even the same again."""
    run, holder = hold_before_delivery(world, "03.txt", "stop", destination)
    try:
        run.check(COMPLETED, wait=LEASE_SECONDS + DEADLINE_SECONDS + PATIENCE_SECONDS)
        delivered = run.fingerprint()
        assert run.file("03.txt")["attempt"] == 2
        world.arm("batch.returned=mark")
    finally:
        os.kill(holder, signal.SIGCONT)
    until(lambda: holder in world.met("batch.returned"), 60, what="who slept did not go on")
    assert run.fingerprint() == delivered, "who slept wrote to the destination"
    run.check_again()


def hold_before_delivery(world: World, name: str, action: str, destination: str) -> tuple[FaultRun, int]:
    """Every batch comes three times, and the first who is about to deliver this file does not; its process id."""
    world.rest("file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    run = world.begin(FILES, destination=destination)
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= BATCHES, what="the batches were not sent")
    for _ in range(BATCHES):
        world.duplicate(QueueName.FILE_PROCESSING, copies=2)
    world.arm(f"delivery.before({name})={action}@1")
    world.wake("file_processing")
    (holder,) = world.await_met("delivery.before")
    return run, holder


# A delivery is not reported

EACH_ONCE = "; ".join(f"delivery.written({name})=kill@1" for name in FILES)


@pytest.mark.parametrize("destination", ["sqlite", "postgres"])
@pytest.mark.parametrize("fault", ["delivery.written=kill_group@2", EACH_ONCE], ids=["worker", "each"])
def test_a_delivery_into_a_customers_table_is_not_reported(world: World, destination: str, fault: str) -> None:
    """It has no key of ours: the ledger beside it tells what is there."""
    name = f"w{uuid.uuid4().hex[:12]}"
    make_customers_table(world, destination, name)
    world.arm(fault)
    run = world.begin(FILES, destination=destination, name=name)
    world.await_met("delivery.written")
    run.check(COMPLETED, wait=DEADLINE_SECONDS + 2 * PATIENCE_SECONDS)
    assert ledger_entries(run) == len(FILES)


@pytest.mark.parametrize(
    "destination",
    [pytest.param("files", marks=pytest.mark.short), "api", "sqlite", pytest.param("mariadb", marks=pytest.mark.short)],
)
def test_a_worker_is_lost_between_delivery_and_report(world: World, destination: str) -> None:
    world.arm("delivery.written=kill_group@2-3")
    run = world.begin(FILES, destination=destination)
    world.await_met("delivery.written", 2)
    run.check(COMPLETED, wait=2 * DEADLINE_SECONDS + PATIENCE_SECONDS)
    if destination == "mariadb":
        assert verified(run) == len(FILES)


@pytest.mark.parametrize("destination", ["files", "api"])
def test_every_delivery_is_lost_once(world: World, destination: str) -> None:
    """Each file's delivery is the last thing its process does: that is no reason to do it twice, or to give it up."""
    world.arm(EACH_ONCE)
    run = world.begin(FILES, destination=destination)
    run.check(COMPLETED, wait=DEADLINE_SECONDS + 2 * PATIENCE_SECONDS)
    assert len(world.met("delivery.written")) == len(FILES)


def make_customers_table(world: World, destination: str, name: str) -> None:
    if destination == "sqlite":
        folder = world.folder / "sources"
        folder.mkdir(exist_ok=True)
        with closing(sqlite3.connect(folder / f"{name}.db")) as database:
            database.execute(f"CREATE TABLE {TABLE} (invoice TEXT, remarks TEXT)")
    else:
        with psycopg.connect(world.postgres.url) as connection:
            connection.execute(f"CREATE TABLE {TABLE}_{name} (invoice TEXT, remarks TEXT)")  # type: ignore[call-overload]


def ledger_entries(run: FaultRun) -> int:
    from docfleet.connectors.base import LEDGER_TABLE

    query = f"SELECT count(*) FROM {LEDGER_TABLE} WHERE execution_id = '{run.id}'"
    assert run.source is not None
    if run.destination == "sqlite":
        with closing(sqlite3.connect(run.source.with_suffix(".db"))) as database:
            return int(database.execute(query).fetchone()[0])
    with psycopg.connect(run.world.postgres.url) as connection:
        found = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return int(found[0])


# The cache is away


@pytest.mark.parametrize("how", [pytest.param("kill", marks=pytest.mark.short), "pause"])
@pytest.mark.parametrize("destination", ["sqlite", "api"])
def test_the_cache_is_away_while_files_are_delivered(world: World, destination: str, how: str) -> None:
    """No fact is in it. (On the redis leg the broker is away with it.)"""
    world.arm("delivery.before(03.txt)=hold@1; delivery.before(05.txt)=hold@1")
    run = world.begin(FILES, destination=destination)
    world.await_met("delivery.before", 2)
    (world.valkey.kill if how == "kill" else world.valkey.pause)()
    try:
        world.disarm()
        until(lambda: {"03.txt", "05.txt"} <= set(run.delivered()), 60, what="no delivery without the cache")
    finally:
        if how == "pause":
            world.valkey.resume()
        world.valkey.start()
    run.check(COMPLETED)


def test_an_execution_begins_and_ends_without_the_cache(world: World) -> None:
    if world.leg == "redis":
        pytest.skip("its broker is in the same server")
    world.valkey.kill()
    runs = [world.begin(FILES), world.begin(FILES, destination="api")]
    for run in runs:
        run.wait()
    world.valkey.start()
    for run in runs:
        run.check(COMPLETED)


# Files share a name

SAME = {
    "a/inv.txt": "the first",
    "b/inv.txt": "the second",
    "b/c/inv.txt": "the first",
    "other.txt": "the first",
}


@pytest.mark.parametrize("fault", ["", "delivery.written=kill_group@2"])
@pytest.mark.parametrize("destination", [pytest.param("files", marks=pytest.mark.short), "sqlite", "postgres"])
def test_files_of_one_name_and_of_one_content(world: World, destination: str, fault: str) -> None:
    world.arm(fault)
    run = world.begin(SAME, destination=destination).wait()
    assert Counter(row["status"] for row in run.files()) == {"COMPLETED": len(SAME)}
    assert len({row["file_path"] for row in run.files()}) == len(SAME)
    assert texts(run) == Counter(SAME.values()), "each file has to be at the destination once, with its own content"
    assert verified(run) == len(SAME)
    run.ended = run._fixed()


def test_uploads_of_one_name_and_of_one_content(world: World) -> None:
    """Equal content is done once and answered for each; equal names are told apart by their content."""
    api = Published.publish(world, {"tool": "actor"})  # type: ignore[arg-type]
    world.arm("delivery.written=kill@1")
    sent = (("x.txt", "one"), ("x.txt", "two"), ("y.txt", "one"), ("x.txt", "one"))
    answer = api.post(*sent, timeout="0")
    execution_id = answer.body["message"]["execution_id"]
    run = FaultRun(world, execution_id, "api", api=api).wait()
    assert Counter(row["status"] for row in run.files()) == {"COMPLETED": 2}
    items = run.poll().body["message"]
    assert [item["result"]["output"]["text"] for item in items] == [text for _, text in sent]


def texts(run: FaultRun) -> Counter[str]:
    """How often each text is at the destination."""
    assert run.source is not None
    if run.destination == "files":
        found = [path for path in run.source.with_suffix(".out").rglob("*") if path.is_file()]
        return Counter(json.loads(path.read_text())["text"] for path in found)
    return Counter(
        text
        for row in run.all_columns()
        for text in set(SAME.values())
        if any(f'"{text}"' in str(cell).replace("'", '"') for cell in row)
    )


def verified(run: FaultRun) -> int:
    """How many files ``docfleet verify`` finds delivered; fails unless it is clean."""
    addresses = run.world.addresses
    address = ("--url", addresses.backend_url, "--key", addresses.key)
    command = [sys.executable, "-P", "-m", "docfleet.cli.main", "verify", run.id, "--json", *address]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return int(json.loads(answer.stdout)["delivered_once"])
