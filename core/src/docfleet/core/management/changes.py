"""The result of a PUT, and of its dry run."""

from __future__ import annotations

from typing import Any

import msgspec


class PlannedChange(msgspec.Struct, kw_only=True):
    """The answer of a dry run: ``changed`` names the fields of a resource that exists."""

    created: bool
    changed: list[str] = []


class PlannedWorkflowChange(PlannedChange, kw_only=True):
    """``before`` and ``after`` hold the fields that change, with their defaults. Secrets are masked; a new one says
    that it changed."""

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class AppliedChange(msgspec.Struct, kw_only=True):
    """What every answer to a PUT has. A resource that is created counts as ``changed``."""

    created: bool
    changed: bool


class AppliedWorkflow(AppliedChange, kw_only=True):
    """A workflow was created, replaced or left as it is."""

    workflow_id: str


class AppliedDeployment(AppliedChange, kw_only=True):
    """An API deployment; ``url`` is where it is called."""

    deployment_id: str
    url: str


class AppliedPipeline(AppliedChange, kw_only=True):
    """A pipeline; ``url`` is the path that triggers it."""

    pipeline_id: str
    url: str


class AppliedNotification(AppliedChange, kw_only=True):
    """A notification."""

    notification_id: str
