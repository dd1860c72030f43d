"""The embedded system: the address of an API stays the same over restarts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from docfleet.cli.embedded.supervisor import ChildSpec, Supervisor
from docfleet.cli.embedded.system import EmbeddedSystem
from docfleet.core.names import WorkerType
from docfleet.core.settings import EVERY_SETTING, environment_of
from tests.every_setting import every_setting


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


def test_each_process_is_started_with_the_settings_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a running fleet, ``tests/acceptance/cli/test_environments.py`` reads them; Valkey hides its own."""
    started: dict[str, ChildSpec] = {}
    monkeypatch.setattr(Supervisor, "start", lambda self, spec: started.update({spec.name: spec}))
    monkeypatch.setattr(Supervisor, "wait_ready", lambda *arguments: None)
    for name, value in every_setting().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("OF_NOBODY", "kept")
    with EmbeddedSystem(tmp_path / "data", tuple(WorkerType), command="a test", report=print) as system:
        system.start()
    assert set(started) >= {"valkey", "backend", "runner", *WorkerType}
    for spec in started.values():
        command = spec.command
        name = command[command.index("worker") + 1] if "worker" in command else spec.name
        assert set(spec.environment) & EVERY_SETTING == set(environment_of(name, dict.fromkeys(EVERY_SETTING, ""))), (
            name
        )
        assert spec.environment["OF_NOBODY"] == "kept"
