"""The registry: built-in tools, descriptors of a folder, settings."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from docfleet.core.errors import ConfigurationError, ToolSettingsInvalid, ToolUnknown
from docfleet.tools.registry import BUILTIN, ToolRegistry, load_tool

TOOL = """#!{python}
import json, sys
what = sys.argv[sys.argv.index("--command") + 1]
answers = {{
    "SPEC": json.dumps({{"type": "object", "properties": {{"a": {{"type": "integer", "default": 1}}}}}}),
    "PROPERTIES": json.dumps({{"toolVersion": "1.2.3", "functionName": "stamp"}}),
    "VARIABLES": "{{}}",
    "ICON": "<svg/>",
}}
print("noise before the line")
print(json.dumps({{"type": what, what.lower(): answers[what]}}))
"""


def test_every_built_in_tool_is_complete() -> None:
    registry = ToolRegistry.load()
    assert {descriptor.tool_id for descriptor in registry} == set(BUILTIN)
    for descriptor in registry:
        stated = str(descriptor.properties["toolVersion"])
        assert descriptor.version == f"{stated}+{metadata.version('docfleet-tools')}"
        assert descriptor.icon.startswith("<svg")
        assert descriptor.properties["functionName"] == descriptor.tool_id
        assert {"schemaVersion", "displayName", "toolVersion", "result", "restrictions"} <= set(descriptor.properties)
        assert descriptor.command is None and descriptor.entry is not None
        assert load_tool(descriptor.entry).name == descriptor.tool_id


def test_a_release_takes_up_no_step_results_of_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ToolRegistry.load().get("text_extractor").version
    monkeypatch.setattr(metadata, "version", lambda name: "99.0")
    assert ToolRegistry.load().get("text_extractor").version not in ("", before)


def test_an_unknown_tool_lists_the_known_ones() -> None:
    with pytest.raises(ToolUnknown, match="classifier, field_extractor, passthrough, text_extractor"):
        ToolRegistry.load().get("text-extractor")


def test_settings_are_completed_and_checked() -> None:
    registry = ToolRegistry.load()
    assert registry.validate("text_extractor", {})["ocr"] == "auto"
    with pytest.raises(ToolSettingsInvalid, match="setting ocr_dpi of tool text_extractor"):
        registry.validate("text_extractor", {"ocr_dpi": 5})
    with pytest.raises(ToolSettingsInvalid, match="'ocrr'"):
        registry.validate("text_extractor", {"ocrr": "auto"})
    with pytest.raises(ToolSettingsInvalid, match="bins"):
        registry.validate("classifier", {})


def test_validation_leaves_the_callers_settings_alone() -> None:
    settings: dict[str, object] = {}
    ToolRegistry.load().validate("text_extractor", settings)
    assert settings == {}


def test_any_executable_may_be_a_tool(tmp_path: Path) -> None:
    executable = tmp_path / "stamp"
    executable.write_text(TOOL.format(python=sys.executable))
    executable.chmod(0o755)
    (tmp_path / "stamp.yaml").write_text(f"tool_id: stamp\ncommand: ['{executable}', '--quiet']\n")
    (tmp_path / "again.json").write_text(
        json.dumps({"tool_id": "again", "module": "docfleet.tools.builtin.passthrough.tool:tool"})
    )
    registry = ToolRegistry.load(tmp_path)
    stamp = registry.get("stamp")
    assert stamp.command == (str(executable), "--quiet") and stamp.version == "1.2.3" and stamp.icon == "<svg/>"
    assert registry.validate("stamp", {}) == {"a": 1}
    assert registry.get("again").entry == "docfleet.tools.builtin.passthrough.tool:tool"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "no tool_id"),
        ("tool_id: x", "needs a command"),
        ("tool_id: x\ncommand: [relative]", "absolute"),
        ("tool_id: x\ncommand: [/no/such/file]", "does not describe itself"),
        ("tool_id: x\ncommand: [/bin/true]", "does not describe itself"),
        ("tool_id: x\ncommand: [/bin/false]", "does not describe itself"),
        ("tool_id: x\nmodule: no.such:tool", "cannot be imported"),
        ("tool_id: passthrough\nmodule: docfleet.tools.builtin.passthrough.tool:tool", "exists already"),
    ],
)
def test_a_bad_descriptor_names_its_file_or_fault(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(ConfigurationError, match=words):
        ToolRegistry.load(tmp_path)


def test_a_missing_registry_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a folder"):
        ToolRegistry.load(tmp_path / "nowhere")
