"""The embedded system: the address of an API stays the same over restarts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from docfleet.cli.embedded.system import EmbeddedSystem


def test_the_address_of_an_api_survives_a_restart_where_its_port_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BACKEND_PORT", raising=False)

    def address() -> str:
        with EmbeddedSystem(tmp_path / "data", (), command="a test", report=print) as system:
            return system.addresses.backend_url

    first = address()
    assert address() == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(first.rpartition(":")[2])))
        other.listen()
        moved = address()
    assert moved != first
    (tmp_path / "data" / "run" / "backend.port").write_text("nonsense")
    assert address().startswith("http://127.0.0.1:")
