"""``docfleet apply FILE.yaml``: create or change on a backend what the file describes."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.workflow_file import ApiSection, PipelineSection, WorkflowFile, WorkflowFileInvalid, read_workflow
from docfleet.core.errors import ConfigurationError, Conflict, InvalidInput, ReviewUnavailable, ToolError
from docfleet.core.management.deployments import DeploymentRequest
from docfleet.core.management.keys import Scope
from docfleet.core.management.pipelines import PipelineRequest
from docfleet.core.masking import mask_text
from docfleet.core.notify import ENDED

KEY_NAME = "docfleet apply"
_WORDS = {"workflows": "workflow", "deployments": "API", "pipelines": "pipeline", "notifications": "notification"}
CHANGED = "changed"
_ENDED = [event.value for event in ENDED]


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would change, change nothing.")
@connected
def command(file: Path, dry_run: bool, client: ManagementClient) -> int:
    """Create or change the workflow of FILE, and the API or pipeline it is published as.

    Applying it again changes nothing. The key of a new API or pipeline is shown once.
    """
    workflow = read_workflow(file)
    try:
        # Everything is checked before anything is written: a refused file changes nothing.
        plans = _plans(client, workflow)
        for plan in plans:
            click.echo(plan.describe(dry_run=dry_run))
            if not dry_run and (plan.created or plan.changed):
                _carry_out(client, plan)
        for line in _leftovers(client, workflow):
            click.echo(line)
    except WorkflowFileInvalid:
        raise
    except (InvalidInput, ConfigurationError, Conflict, ToolError, ReviewUnavailable) as error:
        raise WorkflowFileInvalid(workflow.explain(error.message)) from error
    if dry_run:
        click.echo("nothing was changed (--dry-run)")
    return 0


class Plan(msgspec.Struct):
    """The planned change of one workflow, deployment or pipeline; ``before`` and ``after`` hold the fields that
    change."""

    kind: str
    name: str
    document: dict[str, Any]
    created: bool
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}

    @property
    def changed(self) -> bool:
        """Whether an existing resource changes."""
        return not self.created and bool(self.after)

    def describe(self, *, dry_run: bool) -> str:
        """As the command prints it, ``- old`` and ``+ new`` lines for what changes."""
        what = f"{_WORDS[self.kind]} {self.name}"
        if self.created:
            return f"+ {what}: {'would be created' if dry_run else 'created'}"
        if not self.after:
            return f"= {what}: unchanged"
        head = f"~ {what}: {'would change' if dry_run else 'changed'}: {', '.join(self.after)}"
        return "\n".join([head, *(f"    {mask_text(line)}" for line in difference(self.before, self.after))])


def _plans(client: ManagementClient, workflow: WorkflowFile) -> list[Plan]:
    if workflow.pipeline and workflow.pipeline.schedule:
        client.preview(workflow.pipeline.schedule, 1)  # also before there is a workflow to check the pipeline against
    planned = client.plan_workflow(workflow.document)
    plans = [Plan("workflows", workflow.name, workflow.document, planned.created, planned.before, planned.after)]
    publication = _publication(workflow)
    if publication is not None:
        kind, document = publication
        # The backend can check this only against the existing workflow.
        if not planned.created and "workflow_type" not in planned.after:
            client.plan(kind, document)
        plans.append(_compare(client, kind, document))
        plans += _notifications(client, workflow)
    return plans


def _publication(workflow: WorkflowFile) -> tuple[str, dict[str, Any]] | None:
    """What the workflow is published as: the kind, and the document of its PUT."""
    if workflow.api:
        return "deployments", _deployment(workflow, workflow.api)
    return ("pipelines", _pipeline(workflow, workflow.pipeline)) if workflow.pipeline else None


def _compare(client: ManagementClient, kind: str, document: dict[str, Any]) -> Plan:
    name = _name(document)
    rows = msgspec.to_builtins(client.deployments() if kind == "deployments" else client.pipelines())
    known = next((row for row in rows if _name(row) == name), None)
    after = {} if known is None else {key: value for key, value in document.items() if known.get(key) != value}
    return Plan(kind, name, document, known is None, {key: (known or {}).get(key) for key in after}, after)


def _notifications(client: ManagementClient, workflow: WorkflowFile) -> list[Plan]:
    from docfleet.cli.show.summary import plain

    section = workflow.api or workflow.pipeline
    if section is None or not section.notifications:
        return []
    about = {"api" if workflow.api else "pipeline": section.name}
    known = client.notifications()
    plans = []
    for number, notification in enumerate(section.notifications):
        document = notification.document(about)
        try:
            planned = client.plan("notifications", document)
        except (InvalidInput, ConfigurationError, ReviewUnavailable) as error:
            fault = f"notification {plain(notification.name)}: {error.message.removeprefix('notification: ')}"
            at = (next(iter(about)), "notifications", str(number))
            raise WorkflowFileInvalid(workflow.explain(fault, at)) from error
        same = {"name": notification.name, **about}
        old = next((row for row in known if all(getattr(row, key) == value for key, value in same.items())), None)
        # A change of the settings may be a secret.
        stated = {**document, "events": sorted(set(document.get("events", _ENDED)))}
        after = {key: CHANGED if key == "settings" else stated[key] for key in planned.changed}
        before = {key: None if key == "settings" else getattr(old, key, None) for key in after}
        plans.append(Plan("notifications", notification.name, document, planned.created, before, after))
    return plans


def _leftovers(client: ManagementClient, workflow: WorkflowFile) -> list[str]:
    """Lines about resources that the file no longer names: applying the file does not delete them."""
    from docfleet.cli.show.summary import plain

    left = []
    if workflow.pipeline:
        rows = (row for row in client.pipelines() if row.workflow == workflow.name)
        for row in rows:
            if row.name != workflow.pipeline.name:
                runs = ", and it runs by its schedule" if row.next_run_time else ""
                left.append(
                    f"! pipeline {plain(row.name)}: of this workflow, not in the file: it stays{runs} "
                    f"(`docfleet pipelines delete {shlex.quote(plain(row.name))}` takes it away)"
                )
    section = workflow.api or workflow.pipeline
    if section is not None:
        about, names = "api" if workflow.api else "pipeline", {each.name for each in section.notifications}
        for notification in client.notifications():
            if getattr(notification, about) == section.name and notification.name not in names:
                name = plain(notification.name)
                way = f"docfleet notifications delete {shlex.quote(f'{section.name}/{name}')}"
                left.append(f"! notification {name}: not in the file: it stays (`{way}` takes it away)")
    return left


def _carry_out(client: ManagementClient, plan: Plan) -> None:
    match plan.kind:
        case "workflows":
            client.put_workflow(plan.document)
        case "notifications":
            client.put_notification(plan.document)
        case "deployments":
            deployment = client.put_deployment(plan.document)
            if deployment.created:
                _show_key(client, Scope.DEPLOYMENT, plan.name, deployment.url)
        case _:
            pipeline = client.put_pipeline(plan.document)
            if pipeline.created:
                _show_key(client, Scope.PIPELINE, plan.name, pipeline.url)


def _show_key(client: ManagementClient, scope: Scope, name: str, path: str) -> None:
    key = client.create_key(scope, name, KEY_NAME).key
    url = client.absolute(path)
    click.echo(f"  url  {url}\n  key  {key}\n       shown this once; `docfleet keys` makes, lists and revokes keys")
    click.echo(f"\n{curl(url, key) if scope is Scope.DEPLOYMENT else trigger(url, key)}")


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Lines ``- old`` and ``+ new`` of two objects as YAML, field by field."""
    return [
        line
        for field in after
        for line in difflib.ndiff(_lines(field, before.get(field)), _lines(field, after[field]))
        if line[:2] in ("- ", "+ ")
    ]


def _lines(field: str, value: Any) -> list[str]:
    return [] if value in (None, "") else yaml.safe_dump({field: value}, allow_unicode=True).splitlines()


def _name(document: dict[str, Any]) -> str:
    return str(document.get("api_name") or document["name"])


def _deployment(workflow: WorkflowFile, api: ApiSection) -> dict[str, Any]:
    request = DeploymentRequest(
        api_name=api.name,
        workflow=workflow.name,
        display_name=api.display_name or api.name,
        description=api.description,
        is_active=api.is_active,
    )
    return dict(msgspec.to_builtins(request))


def _pipeline(workflow: WorkflowFile, pipeline: PipelineSection) -> dict[str, Any]:
    request = PipelineRequest(
        name=pipeline.name, workflow=workflow.name, active=pipeline.active, schedule=pipeline.schedule
    )
    return dict(msgspec.to_builtins(request))


def curl(url: str, key: str) -> str:
    """A call that works when it is pasted into a shell."""
    return f"curl -H 'Authorization: Bearer {key}' -F files=@DOCUMENT.pdf -F timeout=300 \\\n  {url}"


def trigger(url: str, key: str) -> str:
    """Starts a pipeline."""
    return f"curl -X POST -H 'Authorization: Bearer {key}' {url}"
