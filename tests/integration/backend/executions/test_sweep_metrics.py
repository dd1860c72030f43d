"""Metrics of the sweep."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.backend.server import DATABASES, Backends
from tests.integration.backend.sweeps import sweep


def metric(api: Any, name: str) -> float:
    text = api.client.get("/metrics", headers={"Authorization": api.last.request.headers["authorization"]}).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


@pytest.mark.parametrize("database", DATABASES)
def test_the_metrics_say_what_was_swept_and_what_waits(backends: Backends, database: str) -> None:
    fresh_api = backends.empty(database, "metrics")  # the counters are those of a backend that swept for nobody else
    assert metric(fresh_api, "docfleet_sweep_last_timestamp_seconds") == 0
    run = fresh_api.run().ready(2)
    run.take(2)
    run.expire_leases()
    run.age(40)
    sweep(fresh_api)
    assert metric(fresh_api, "docfleet_sweep_redispatched_files_total") == 2
    assert metric(fresh_api, "docfleet_sweep_duration_seconds_count") == 1
    assert metric(fresh_api, "docfleet_sweep_duration_seconds_sum") > 0
    assert metric(fresh_api, "docfleet_sweep_last_timestamp_seconds") > 1e9
    assert metric(fresh_api, "docfleet_executions_open") == 1
    assert 40 <= metric(fresh_api, "docfleet_oldest_progress_age_seconds") < 100
    fresh_api.write("UPDATE leases SET until = 99999999999")
    sweep(fresh_api)
    assert metric(fresh_api, "docfleet_sweep_duration_seconds_count") == 1, "it did not lead"
