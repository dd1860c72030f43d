"""API deployments."""

from __future__ import annotations

from typing import Annotated

import msgspec

from docfleet.core.names import ApiName


class DeploymentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A deployment: the workflow named ``workflow`` becomes callable as ``api_name``."""

    api_name: ApiName
    workflow: str
    display_name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    description: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    is_active: bool = True


class Deployment(msgspec.Struct, kw_only=True):
    """One deployment. ``workflow`` is the name of its workflow, ``url`` where it is called."""

    deployment_id: str
    api_name: str
    display_name: str
    description: str
    workflow: str
    workflow_id: str
    is_active: bool
    url: str
    created_at: str
    modified_at: str


class DeploymentList(msgspec.Struct):
    """The deployments of an organization, by name."""

    deployments: list[Deployment]


class DeletedDeployment(msgspec.Struct):
    """A deployment was deleted."""

    deployment_id: str
    deleted: bool = True
