"""Connectors as people see them, without their libraries, too."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import msgspec
import pytest

from docfleet.connectors import registry
from docfleet.connectors.base import ConnectorInfo, ConnectorMode, missing_library, optional_library
from docfleet.connectors.catalogue import describe, descriptions
from docfleet.connectors.registry import connector_class, connector_info
from docfleet.core.errors import ConfigurationError

INFO = ConnectorInfo(
    connector_id="far|00000000-0000-0000-0000-000000000001",
    name="Far",
    description="Needs a library",
    mode=ConnectorMode.FILESYSTEM,
    can_read=True,
    can_write=False,
    json_schema={"type": "object", "properties": {"token": {"type": "string"}, "host": {"type": "string"}}},
    secrets=("token",),
    extra="far",
    libraries=("no_such_library.part", "json"),
)


class Far:
    info: ClassVar[ConnectorInfo] = INFO


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "far": EntryPoint("far", f"{__name__}:Far", registry.GROUP),
        "broken": EntryPoint("broken", "no_such_module:Class", registry.GROUP),
    }
    monkeypatch.setattr(registry, "_installed", lambda: points)
    real = EntryPoint.load
    # pytest does not import test modules by name.
    monkeypatch.setattr(EntryPoint, "load", lambda point: Far if point.name == "far" else real(point))


def test_every_shipped_connector_is_described() -> None:
    for described in descriptions():
        info = connector_info(described.name)
        assert (described.connector_id, described.mode) == (info.connector_id, info.mode)
        assert (described.missing, described.problem) == ([], None)
        for field, rule in described.json_schema["properties"].items():
            assert rule.get("writeOnly", False) is (field in info.secrets)
        assert "writeOnly" not in str(info.json_schema)
        msgspec.json.encode(described)


@pytest.mark.usefixtures("installed")
def test_a_connector_without_its_library_is_listed() -> None:
    broken, far = descriptions()
    assert (far.name, far.extra, far.missing) == ("far", "far", ["no_such_library.part"])
    assert broken.mode is None
    assert broken.problem == "connector broken needs the library no_such_module, which is missing: install it"
    with pytest.raises(ConfigurationError, match="needs the library no_such_module"):
        connector_class("broken")
    with pytest.raises(ConfigurationError, match="unknown connector 'nope'; installed are broken, far"):
        describe("nope")


def test_a_missing_library_is_an_error_that_names_the_extra() -> None:
    says = (
        r"connector far needs the library no_such_library, which is missing: pip install 'docfleet-connectors\[far\]'"
    )
    with pytest.raises(ConfigurationError, match=says), optional_library(INFO):
        __import__("no_such_library")
    plain: Any = msgspec.structs.replace(INFO, extra="")
    assert missing_library(plain, "x").message.endswith("which is missing: install it")
