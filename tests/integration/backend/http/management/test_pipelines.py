"""The preview of a schedule shows local time and UTC."""

from __future__ import annotations

from typing import Any

from tests.integration.backend.schedules.scheduled import Scheduled


def test_a_preview_shows_local_time_and_utc(api: Any) -> None:
    answer = api.post("/api/v1/pipelines/preview?count=3", {"cron": "30 2 * * *", "timeZone": "Asia/Kathmandu"})
    assert [run["time"][10:] for run in answer["runs"]] == ["T02:30:00+05:45"] * 3
    assert all(run["utc"][10:19] == "T20:45:00" for run in answer["runs"])
    pipeline = Scheduled(api, cron="0 0 1 1 *")
    shown = api.get(f"{pipeline.path}/preview?count=2")
    assert len(shown["runs"]) == 2 and shown["name"] == "nightly"
