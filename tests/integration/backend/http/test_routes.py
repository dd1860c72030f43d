"""Walks over every route: no key, no organization, another organization's ids."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from docfleet.backend.tables.schema import metadata


@pytest.mark.parametrize("name", ["", " ", "nightly ", "\tnightly", "nightly\n", "night\nly", "n" * 201])
def test_a_name_has_something_to_see_and_no_blanks_around_it(api: Any, name: str) -> None:
    api.workflow()
    pipeline = {"name": "nightly", "workflow": "invoices"}
    bodies = {
        "workflows": api.spec(),
        "pipelines": pipeline,
        "notifications": {"pipeline": "nightly", "provider": "console", "settings": {}},
        "keys": {"scope": "platform"},
    }
    api.put("/api/v1/pipelines", pipeline)
    for kind, body in bodies.items():
        send = api.post if kind == "keys" else api.put
        refused = send(f"/api/v1/{kind}", {**body, "name": name}, status=400)
        assert refused["detail"].startswith("name: Expected") and "regex" not in refused["detail"], refused


OPEN = {"/livez", "/readyz"}
WITH_KEYS_OF_CALLERS = ("/deployment/", "/api/v1/unstract/")
"""Routes whose keys callers have; ``test_backend_keys`` looks at them."""
WITHOUT_ORGANIZATION = {
    "sweep",
    "tick_schedules",
    "dispatch_notifications",
    "put_organization",
    "list_organizations",
    "put_organization_settings",
    "health",
    "metrics",
    "worker_beat",
    "workers_ended",
}
NOT_ABOUT_ROWS = (
    {"put_deployment", "list_deployments", "list_pipelines", "create_key", "list_keys"}
    | {"put_workflow", "list_workflows", "list_executions", "get_setting", "put_setting", "get_tool"}
    | {"list_settings", "list_quotas", "list_connectors", "show_connector", "test_connector"}
    | {
        "get_configuration",
        "get_tokens",
        "get_pages",
        "post_usage",
        "preview_schedule",
        "put_notification",
        "write_logs",  # lines of another organization are dropped
        "list_notifications",
        "list_events",
    }
)
"""Handlers that take no id of a row; ``test_nothing_of_others_is_in_lists`` looks at their answers."""


def _routes(api: Any) -> Iterator[tuple[str, str, Any]]:
    for route in api.client.app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                if not route.path.startswith(("/schema", *WITH_KEYS_OF_CALLERS)):
                    yield method, route.path_format, handler
    return


def _dump(api: Any) -> dict[str, list[Any]]:
    with api.database.reading() as connection:
        return {
            table.name: sorted(tuple(map(repr, row)) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
        }


def _filled(path: str, values: dict[str, str]) -> str:
    return path.format(**values) if "{" in path else path


def _values(**known: str) -> dict[str, str]:
    names = ("workflow_id", "execution_id", "file_execution_id", "pipeline_id", "deployment_id", "key_id")
    names += ("notification_id", "event_id", "batch_id")
    free = {name: str(uuid.uuid4()) for name in names}
    return (
        free
        | {"organization": "o", "key": "MAX_PARALLEL_FILE_BATCHES", "run_id": "r", "tool_id": "t", "cache_key": "c"}
        | {"name": "local"}
        | known
    )


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic {key}", "{key}", "Bearer {key}x", "Bearer schlüssel"]
)
def test_without_the_key_every_route_is_closed_and_nothing_changes(api: Any, header: str | None) -> None:
    api.run(api.workflow())
    key = api.last.request.headers["authorization"].removeprefix("Bearer ")
    before = _dump(api)
    walked = 0
    for method, path, _ in _routes(api):
        if path in OPEN:
            continue
        headers = {"X-Organization-ID": api.organization}
        if header is not None:
            headers["Authorization"] = header.format(key=key).encode()
        response = api.client.request(method, _filled(path, _values()), json={}, headers=headers)
        assert response.status_code == 401, (method, path, response.text)
        body = response.json()
        assert (body["code"], body["status"]) == ("not_allowed", 401) and key not in response.text
        assert response.headers["content-type"].startswith("application/problem+json")
        walked += 1
    assert walked > 30 and _dump(api) == before


def test_without_an_organization_nothing_is_answered(api: Any) -> None:
    authorization = {"Authorization": api.last.request.headers["authorization"]}
    before = _dump(api)
    for method, path, handler in _routes(api):
        if path in OPEN or handler.handler_name.rpartition(".")[2] in WITHOUT_ORGANIZATION:
            continue
        where = _filled(path, _values())
        for headers, status in (({}, 400), ({"X-Organization-ID": "nobody"}, 404)):
            response = api.client.request(method, where, json={}, headers=authorization | headers)
            assert response.status_code == status, (method, path, response.text)
            assert "organization" in response.json()["detail"].lower()
    assert _dump(api) == before


_CLAIM = {"owner": "w", "lease_seconds": 1, "limit": 1}


def _bodies(ids: dict[str, str]) -> dict[str, Any]:
    """A valid body for every handler that writes; a new handler has to be added here."""
    return {
        "update_status": {"status": "ERROR", "error_message": "x"},
        "register_files": {"page": 1, "files": [{"file_name": "n", "file_path": "n"}]},
        "start_execution": {"batch_count": 1},
        "add_files": {"workflow_id": ids["workflow_id"], "files": [{"file_name": "a", "file_path": "a"}]},
        "claim_files": _CLAIM,
        "renew_files": {
            "owner": "worker",
            "lease_seconds": 1,
            "leases": [{"file_execution_id": ids["file_execution_id"], "attempt": 1}],
        },
        "report_files": {"owner": "worker", "lease_seconds": 1, "outcomes": []},
        "finalize_execution": {"error": "x"},
        "put_off_execution": {"wait": {"cause": "slot"}},
        "create_execution": {"workflow_id": ids["workflow_id"]},
        "validate_tools": {"workflow_id": ids["workflow_id"], "tool_instances": []},
        "create_file": {"execution_id": ids["execution_id"], "file_hash": {"file_name": "n", "file_path": "n"}},
        "update_file_status": {"status": "ERROR"},
        "check_active": {"workflow_id": ids["workflow_id"], "files": []},
        "batch_lookup": {"workflow_id": ids["workflow_id"], "files": []},
        "create_history": {"workflow_id": ids["workflow_id"], "file_hash": "h", "status": "COMPLETED"},
        "put_pipeline": {"status": "SUCCESS", "is_end": True},
        "run_workflow": {},
        **{name: {} for name in ("run_pipeline", "start_pipeline", "pause_pipeline", "resume_pipeline")},
        "revoke_key": {},
        "stop_execution": {},
        "retry_execution": {},
        "claim_batch": {"lease_seconds": 1},
        "report_batch": {"attempt": 1, "outcome": "delivered"},
        **{name: {} for name in ("test_notification", "resend_event")},
        "lost_process": {"owner": "worker", "execution_id": ids["execution_id"]},
    }


def _notified(api: Any) -> dict[str, str]:
    """A notification, an event of it and its batch, which is under way."""
    api.client.app.dependencies["notification_dispatcher"].dependency().stop()
    body = {"name": "ops", "pipeline": "n", "provider": "console"}
    notification = api.put("/api/v1/notifications", body)["notification_id"]
    event = api.post(f"/api/v1/notifications/{notification}/test", status=202)["event_id"]
    api.post("/internal/v1/notifications/dispatch/")
    batch = api.get(f"/api/v1/notifications/events/{event}")["message_id"]
    return {"notification_id": notification, "event_id": event, "batch_id": batch}


def test_rows_of_another_organization_do_not_exist(api: Any) -> None:
    workflow = api.workflow()
    run = api.run(workflow).ready(3)
    held = run.take(1)
    pipeline = str(uuid.uuid4())
    api.write(
        "INSERT INTO pipelines (id, organization_id, workflow_id, pipeline_name, pipeline_type, active, run_count, "
        "created_at, modified_at) VALUES (:p, :o, :w, 'n', 'ETL', :t, 0, 0, 0)",
        p=pipeline,
        o=api.organization,
        w=workflow,
        t=True,
    )
    ids = _values(
        workflow_id=workflow,
        execution_id=run.id,
        pipeline_id=pipeline,
        file_execution_id=held[0]["file_execution_id"],
    )
    invoices = api.publish()
    ids |= {"deployment_id": invoices.id, "key_id": api.get("/api/v1/keys")["keys"][0]["key_id"]}
    ids |= _notified(api)
    bodies = _bodies(ids)
    stranger = api.other()
    before = _dump(api)
    walked = set()
    for method, path, handler in _routes(api):
        name = handler.handler_name.rpartition(".")[2]
        if name == "put_pipeline" and "{" not in path:
            continue
        if path in OPEN or name in WITHOUT_ORGANIZATION | NOT_ABOUT_ROWS:
            continue
        query = {"by_cache_key": f"?workflow_id={workflow}", "find_files": f"?execution_id={run.id}"}.get(name, "")
        body = bodies[name] if method in ("POST", "PUT") else None
        for where in (_filled(path, ids).rstrip("/"), _filled(path, ids).rstrip("/") + "/"):
            stranger.call(method, where + query, body, status=404)
            assert stranger.last.json()["code"] == "not_found"
        walked.add(name)
    assert _dump(api) == before
    assert walked >= set(bodies)
    assert run.report(held)["written"] == 1


def test_nothing_of_others_is_in_lists(api: Any) -> None:
    run = api.run().ready(1)
    held = run.take(1)
    run.report(outcomes=[api.outcome(held[0], pages=2, usage={"total_tokens": 3})])
    api.put("/api/v1/settings/MAX_PARALLEL_FILE_BATCHES", {"value": 9})
    api.publish()
    api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})
    stranger = api.other()
    for what in ("workflows", "deployments", "pipelines", "keys"):
        assert stranger.get(f"/api/v1/{what}")[what] == [] != api.get(f"/api/v1/{what}")[what]
    stranger.post("/api/v1/keys", {"scope": "deployment", "target": "invoices", "name": "k"}, status=404)
    stranger.post("/api/v1/keys", {"scope": "pipeline", "target": "nightly", "name": "k"}, status=404)
    stranger.put("/api/v1/deployments", {"api_name": "x", "workflow": "w-invoices"}, status=404)
    stranger.put("/api/v1/pipelines", {"name": "x", "workflow": "invoices"}, status=404)
    assert stranger.get("/api/v1/executions")["executions"] == []
    stranger.get(f"/api/v1/executions?after={run.id}", status=404)
    assert stranger.get(f"/api/v1/executions?workflow_id={run.state()['execution']['workflow_id']}")["executions"] == []
    file_id = held[0]["file_execution_id"]
    root = "/internal/v1"
    assert stranger.get(f"{root}/usage/aggregated-token-count/{file_id}/")["data"]["usage"]["total_tokens"] == 0
    assert stranger.get(f"{root}/usage/aggregated-pages-processed/{file_id}/")["data"]["total_pages_processed"] == 0
    assert stranger.get(f"{root}/configuration/MAX_PARALLEL_FILE_BATCHES/")["data"]["value"] is None
