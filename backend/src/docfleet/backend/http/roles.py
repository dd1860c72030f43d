"""The least role that each route of the management API requires of a key of an organization.

A route that is not in the table opens with the internal key only. A test walks the routes and names those that are
missing here.
"""

from __future__ import annotations

from docfleet.core.management.keys import Role

INTERNAL_KEY = None
"""No role is enough: it is for who runs the backend."""
_VIEWER, _OPERATOR, _ADMIN = Role.VIEWER, Role.OPERATOR, Role.ADMIN

LEAST_ROLE: dict[str, Role | None] = {
    "GET /api/v1/organizations": INTERNAL_KEY,
    "PUT /api/v1/organizations/{organization}": INTERNAL_KEY,
    # What an organization may use of what all share is not its own to decide.
    "PUT /api/v1/organizations/{organization}/settings": INTERNAL_KEY,
    "PUT /api/v1/settings/{key}": INTERNAL_KEY,
    "GET /api/v1/settings": _VIEWER,
    "GET /api/v1/settings/{key}": _VIEWER,
    "GET /api/v1/quotas": _VIEWER,
    "GET /api/v1/keys": _VIEWER,
    "POST /api/v1/keys": _ADMIN,
    "POST /api/v1/keys/{key_id}/revoke": _ADMIN,
    "GET /api/v1/connectors": _VIEWER,
    "GET /api/v1/connectors/{name}": _VIEWER,
    # Who may make a workflow may read and write wherever a connector can.
    "POST /api/v1/connectors/{name}/test": _ADMIN,
    "GET /api/v1/workflows": _VIEWER,
    "PUT /api/v1/workflows": _ADMIN,
    "GET /api/v1/workflows/{workflow_id}": _VIEWER,
    "POST /api/v1/workflows/{workflow_id}/executions": _OPERATOR,
    "GET /api/v1/executions": _VIEWER,
    "GET /api/v1/executions/{execution_id}": _VIEWER,
    "WEBSOCKET /api/v1/executions/{execution_id}/events": _VIEWER,
    "GET /api/v1/executions/{execution_id}/files": _VIEWER,
    "GET /api/v1/executions/{execution_id}/files/{file_execution_id}/evidence": _VIEWER,
    "GET /api/v1/executions/{execution_id}/logs": _VIEWER,
    "GET /api/v1/executions/{execution_id}/logs/export": _VIEWER,
    "GET /api/v1/executions/{execution_id}/results": _VIEWER,
    "POST /api/v1/executions/{execution_id}/retry": _OPERATOR,
    "POST /api/v1/executions/{execution_id}/stop": _OPERATOR,
    "GET /api/v1/executions/{execution_id}/verify": _VIEWER,
    "GET /api/v1/executions/{execution_id}/why": _VIEWER,
    "GET /api/v1/deployments": _VIEWER,
    "PUT /api/v1/deployments": _ADMIN,
    "GET /api/v1/deployments/{deployment_id}": _VIEWER,
    "DELETE /api/v1/deployments/{deployment_id}": _ADMIN,
    "GET /api/v1/pipelines": _VIEWER,
    "PUT /api/v1/pipelines": _ADMIN,
    "POST /api/v1/pipelines/preview": _VIEWER,
    "GET /api/v1/pipelines/{pipeline_id}": _VIEWER,
    "DELETE /api/v1/pipelines/{pipeline_id}": _ADMIN,
    "POST /api/v1/pipelines/{pipeline_id}/pause": _OPERATOR,
    "POST /api/v1/pipelines/{pipeline_id}/resume": _OPERATOR,
    "POST /api/v1/pipelines/{pipeline_id}/run": _OPERATOR,
    "GET /api/v1/pipelines/{pipeline_id}/preview": _VIEWER,
    "GET /api/v1/pipelines/{pipeline_id}/ticks": _VIEWER,
    "GET /api/v1/notifications": _VIEWER,
    "PUT /api/v1/notifications": _ADMIN,
    "GET /api/v1/notifications/{notification_id}": _VIEWER,
    "DELETE /api/v1/notifications/{notification_id}": _ADMIN,
    "POST /api/v1/notifications/{notification_id}/test": _OPERATOR,
    "GET /api/v1/notifications/events": _VIEWER,
    "GET /api/v1/notifications/events/{event_id}": _VIEWER,
    "POST /api/v1/notifications/events/{event_id}/resend": _OPERATOR,
}
"""By method and path."""


def least_role(method: str, path: str) -> Role | None:
    """The least role for a route; None where only the internal key opens it."""
    return LEAST_ROLE.get(f"{method} {path}", INTERNAL_KEY)
