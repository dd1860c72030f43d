"""Tool settings against their JSON schema (Draft 2020-12), with defaults filled in."""

from __future__ import annotations

import copy
from typing import Any

from docfleet.core.errors import ToolSettingsInvalid


def fill_defaults(schema: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``settings`` with the schema's defaults for absent keys, in nested objects too."""
    filled = copy.deepcopy(settings)
    for name, part in schema.get("properties", {}).items():
        if name not in filled and "default" in part:
            filled[name] = copy.deepcopy(part["default"])
        elif isinstance(filled.get(name), dict):
            filled[name] = fill_defaults(part, filled[name])
    return filled


def check_settings(tool_name: str, schema: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` with defaults, when they satisfy ``schema``. Raises ``ToolSettingsInvalid`` naming the setting."""
    # jsonschema costs 150 ms to import: only who validates pays for it.
    from jsonschema import Draft202012Validator

    filled = fill_defaults(schema, settings)
    for fault in sorted(Draft202012Validator(schema).iter_errors(filled), key=lambda fault: str(fault.json_path)):
        where = fault.json_path.removeprefix("$").lstrip(".")
        raise ToolSettingsInvalid(
            f"setting {where} of tool {tool_name} is not valid: {fault.message}"
            if where
            else f"the settings of tool {tool_name} are not valid: {fault.message}"
        )
    return filled
