"""What a stranger learns: nothing. Only a key of the organization tells what is there from what is not."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

WRONG = "dfk_" + "x" * 43


def answer(api: Any, path: str, key: str, method: str = "POST") -> tuple[int, str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    given = api.client.request(method, path, headers=headers, files=[("files", ("a.txt", b"a"))])
    described = {name: value for name, value in given.headers.items() if name != "content-length"}
    return given.status_code, given.text, described


def strangers(api: Any, scope: str) -> dict[str, str]:
    """Keys that open nothing here."""
    elsewhere = api.other()
    if scope == "deployment":
        return {"wrong": WRONG, "of another organization": elsewhere.publish("elsewhere").key}
    elsewhere.workflow()
    elsewhere.put("/api/v1/pipelines", {"name": "elsewhere", "workflow": "invoices"})
    return {"wrong": WRONG, "of another organization": elsewhere.key("pipeline", "elsewhere")}


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_stranger_cannot_tell_an_api_from_none(api: Any, method: str) -> None:
    invoices = api.publish()
    idle = api.publish("idle")
    api.put("/api/v1/deployments", {"api_name": "idle", "workflow": "w-idle", "is_active": False})
    paths = [invoices.path, idle.path, invoices.path.replace("/invoices/", "/none/"), "/deployment/api/no-such/none/"]
    for kind, key in strangers(api, "deployment").items():
        answers = [answer(api, path, key, method) for path in paths]
        assert answers == [answers[0]] * len(paths) and answers[0][0] == 401, kind
    assert answer(api, paths[2], invoices.key, method)[0] == 404
    assert answer(api, paths[1], idle.key, method)[0] == 404


def test_a_stranger_cannot_tell_a_pipeline_from_none(api: Any) -> None:
    api.workflow()
    made = api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})
    key = api.key("pipeline", "nightly")
    none = f"/deployment/pipeline/api/{api.organization}/{uuid.uuid4()}/"
    paths = [
        made["url"],
        none,
        none.replace(api.organization, "no-such"),
        f"/deployment/pipeline/api/{api.organization}/x/",
    ]
    for kind, stranger in strangers(api, "pipeline").items():
        answers = [answer(api, path, stranger) for path in paths]
        assert answers == [answers[0]] * len(paths) and answers[0][0] == 401, kind
    assert answer(api, none, key)[0] == 404 and answer(api, made["url"], key)[0] == 200


def test_a_stranger_cannot_tell_an_organization_from_none(api: Any) -> None:
    for path in ("/api/v1/workflows", "/internal/v1/logs/", "/api/v1/executions"):
        bodies = set()
        for organization in (api.organization, "no-such", ""):
            given = api.client.get(
                path, headers={"Authorization": f"Bearer {WRONG}", "X-Organization-ID": organization}
            )
            bodies.add((given.status_code, given.text))
        assert len(bodies) == 1 and given.status_code in (401, 405), path
