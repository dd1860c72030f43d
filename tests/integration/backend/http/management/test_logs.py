"""Logs in pages, filtered and exported."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from tests.integration.backend.logs.lines import event, headers, send, texts


def test_pages_and_filters(api: Any) -> None:
    run = api.run().ready(2)
    one, two = (file["file_execution_id"] for file in run.files())
    for number in range(10):
        level = ("INFO", "WARN", "ERROR")[number % 3]
        send(api, event(api, run, str(number), level=level, file_execution_id=one if number < 5 else two))
    send(api, event(api, run, "", type="UPDATE", component="SOURCE", state="RUNNING", message="m"))
    seen, after = [], 0
    while after is not None:
        page = api.get(f"/api/v1/executions/{run.id}/logs?limit=4&after={after}")
        seen += [line["log"] for line in page["logs"]]
        after = page["next"]
    assert seen == [*map(str, range(10)), ""]
    assert texts(api, run, "&level=ERROR") == ["2", "5", "8"]
    assert texts(api, run, "&level=WARN") == ["1", "2", "4", "5", "7", "8"]
    assert texts(api, run, f"&file={two}") == ["5", "6", "7", "8", "9"]
    update = api.get(f"/api/v1/executions/{run.id}/logs?type=UPDATE")["logs"]
    assert [(line["component"], line["state"], line["message"]) for line in update] == [("SOURCE", "RUNNING", "m")]
    api.get(f"/api/v1/executions/{run.id}/logs?level=LOUD", status=400)


def test_exports(api: Any) -> None:
    run = api.run()
    send(api, event(api, run, '=HYPERLINK("x")', level="WARN"), event(api, run, 'a "b", c\nd', step=1))
    path = f"/api/v1/executions/{run.id}/logs/export"
    lines = [json.loads(line) for line in api.client.get(path, headers=headers(api)).text.splitlines()]
    assert [line["log"] for line in lines] == ['=HYPERLINK("x")', 'a "b", c\nd']
    answer = api.client.get(f"{path}?format=csv", headers=headers(api))
    assert answer.headers["content-type"].startswith("text/csv") and run.id in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["log"] for row in rows] == ['\'=HYPERLINK("x")', 'a "b", c\nd']
    odd = ["\n=1+1", "\uff1d1+1", "\uff201"]
    send(api, *(event(api, run, text) for text in odd))
    answer = api.client.get(f"{path}?format=csv", headers=headers(api))
    found = [row["log"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))]
    assert found[2:] == [f"'{text}" for text in odd]
    assert rows[1]["step"] == "1" and rows[0]["time"].startswith("20") and rows[0]["level"] == "WARN"
