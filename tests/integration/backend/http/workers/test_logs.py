"""Lines that workers send are counted."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.backend.logs.lines import event, headers, send


def test_the_metrics_count_lines(api: Any) -> None:
    run = api.run()
    send(api, event(api, run))
    text = ""
    deadline = time.monotonic() + 10
    # Those whose connection has just ended leave at once, but not before this looks.
    while "docfleet_log_readers 0" not in text and time.monotonic() < deadline:
        text = api.client.get("/metrics", headers=headers(api)).text
    assert 'docfleet_log_lines_total{result="written"} ' in text
    assert "docfleet_log_readers 0" in text, [line for line in text.splitlines() if "readers" in line]
