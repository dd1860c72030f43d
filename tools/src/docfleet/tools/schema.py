"""Tool settings against the schema of their tool."""

from __future__ import annotations

from typing import Any

from docfleet.core import json_schema
from docfleet.core.errors import ToolSettingsInvalid


def check_settings(tool_name: str, schema: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` with defaults, when they satisfy ``schema``. Raises ``ToolSettingsInvalid`` naming the setting."""
    filled = json_schema.with_defaults(schema, settings)
    for fault in json_schema.faults(schema, filled):
        raise ToolSettingsInvalid(
            f"setting {fault.path} of tool {tool_name} is not valid: {fault.message}"
            if fault.path
            else f"the settings of tool {tool_name} are not valid: {fault.message}"
        )
    return filled
