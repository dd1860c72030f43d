"""The breaker of each host on a real Valkey: one for all workers."""

from __future__ import annotations

import time
from pathlib import Path

import redis

from docfleet.workers.notification.host_breaker import FAILURES_TO_OPEN, HostBreaker

HOST = "hooks.example.org:443"


def test_the_breaker_is_one_for_all_workers_and_lets_one_probe(redis_client: redis.Redis) -> None:
    one, other = (HostBreaker(redis_client, 0.3, 5.0) for _ in range(2))
    for breaker in (one, other, one):
        assert breaker.wait(HOST) is None
        breaker.note(HOST, alive=False)
    wait = other.wait(HOST)
    assert wait is not None and 0 < wait <= 0.3
    assert other.wait("elsewhere.example.org:443") is None and other.wait(None) is None
    time.sleep(0.35)
    assert one.wait(HOST) is None, "the probe"
    assert (other.wait(HOST) or 0) > 0, "only one probes"
    one.note(HOST, alive=False)
    assert (one.wait(HOST) or 0) > 0, "it failed: open again"
    time.sleep(0.35)
    assert other.wait(HOST) is None
    other.note(HOST, alive=True)
    assert one.wait(HOST) is None and other.wait(HOST) is None, "closed"
    for _ in range(FAILURES_TO_OPEN - 1):
        one.note(HOST, alive=False)
    assert one.wait(HOST) is None, "a success forgets the failures before it"


def test_a_probe_nobody_heard_of_is_given_up(redis_client: redis.Redis) -> None:
    breaker = HostBreaker(redis_client, 0.05, 0.2)
    for _ in range(FAILURES_TO_OPEN):
        breaker.note(HOST, alive=False)
    time.sleep(0.1)
    assert breaker.wait(HOST) is None and breaker.wait(HOST) is not None
    time.sleep(0.25)
    assert breaker.wait(HOST) is None


def test_without_redis_there_is_no_breaker(tmp_path: Path) -> None:
    breaker = HostBreaker(redis.Redis.from_url(f"unix://{tmp_path}/none"), 1.0, 1.0)  # as workers make theirs
    breaker.note(HOST, alive=False)
    assert breaker.wait(HOST) is None
