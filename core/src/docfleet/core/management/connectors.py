"""Connectors as the management API shows and tests them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

type Direction = Literal["source", "destination"]


class ConnectorDescription(msgspec.Struct, kw_only=True):
    """An installed connector. ``mode`` is FILESYSTEM or DATABASE.

    ``json_schema`` is the JSON Schema of its settings; those of ``secrets`` have ``writeOnly`` there. ``tested`` is
    what the connector was run against in the tests; empty: no server. ``missing`` are libraries that have to be
    installed first, by the extra ``extra`` of docfleet-connectors. ``problem`` says why the connector cannot be
    described at all; then only ``name`` is known.
    """

    name: str
    connector_id: str = ""
    title: str = ""
    description: str = ""
    mode: Literal["FILESYSTEM", "DATABASE"] | None = None
    can_read: bool = False
    can_write: bool = False
    tested: str = ""
    extra: str = ""
    missing: list[str] = []
    problem: str | None = None
    json_schema: dict[str, Any] = {}
    secrets: list[str] = []


class ConnectorList(msgspec.Struct):
    """The installed connectors, by name."""

    connectors: list[ConnectorDescription]


class ConnectorTestRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The settings of a connector to test, as a workflow has them.

    ``configuration`` holds the other keys of the endpoint: ``folders`` of a source, ``table`` or ``outputFolder`` of a
    destination.
    """

    settings: dict[str, Any]
    direction: Direction
    configuration: dict[str, Any] = {}


class ProbeStep(msgspec.Struct):
    """One step of a test. ``code`` is that of the error when it failed."""

    name: str
    ok: bool
    detail: str
    code: str | None = None


class ConnectorTestResult(msgspec.Struct):
    """The steps up to the first that failed."""

    connector: str
    direction: Direction
    ok: bool
    steps: list[ProbeStep]
