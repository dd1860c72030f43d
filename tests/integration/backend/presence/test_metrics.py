"""The metrics of workers."""

from __future__ import annotations

from typing import Any

from tests.integration.backend.presence.announced import announce, end


def test_metrics_say_which_types_live_and_which_queues_nobody_serves(fresh_api: Any) -> None:
    announce(fresh_api, "a@h")
    announce(fresh_api, "b@h", state="ending")
    announce(fresh_api, "g@h", "general", state="unconnected")
    announce(fresh_api, "c@h", "callback")
    end(fresh_api, "c@h")
    text = fresh_api.client.get("/metrics", headers={"Authorization": fresh_api.last.request.headers["authorization"]})
    lines = set(text.text.splitlines())
    assert {
        'docfleet_workers{state="ready",type="file_processing"} 1.0',
        'docfleet_workers{state="ending",type="file_processing"} 1.0',
        'docfleet_workers{state="unconnected",type="general"} 1.0',
        'docfleet_workers{state="ready",type="callback"} 0.0',
        'docfleet_workers{state="ready",type="scheduler"} 0.0',
        'docfleet_queue_workers{queue="file_processing"} 1.0',
        'docfleet_queue_workers{queue="celery_api_deployments"} 0.0',
    } <= lines
    assert 'docfleet_worker_last_seen_timestamp_seconds{type="callback"}' in text.text
    assert 'docfleet_worker_last_seen_timestamp_seconds{type="scheduler"}' not in text.text
