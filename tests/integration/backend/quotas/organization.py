"""An organization with quotas: what it may use, and what it has used."""

from __future__ import annotations

from typing import Any


def limit(api: Any, *, status: int = 200, **quotas: int | None) -> Any:
    """``limit(api, files_per_day=5)``; None returns to the backend's default."""
    settings = {f"MAX_{quota.upper()}": value for quota, value in quotas.items()}
    return api.put(f"/api/v1/organizations/{api.organization}/settings", {"settings": settings}, status=status)


def used(api: Any) -> dict[str, int]:
    return {row["quota"]: row["used"] for row in api.get("/api/v1/quotas")["quotas"]}


def files_used(api: Any) -> int:
    return used(api)["files_per_day"]


def executions(api: Any) -> int:
    """How many there are, open or ended."""
    return len(api.get("/api/v1/executions?limit=500")["executions"])


def begin(api: Any, workflow: str, *, status: int = 201, **headers: str) -> Any:
    """Run a workflow, also when that is to be refused."""
    return api.post(f"/api/v1/workflows/{workflow}/executions", status=status, **headers)


def next_day(api: Any) -> None:
    """What was used today was used another day."""
    api.write("UPDATE daily_usage SET day = '2020-02-29' WHERE organization_id = :o", o=api.organization)
