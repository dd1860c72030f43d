"""The runner's application."""

from __future__ import annotations

from docfleet.core.settings import read_settings
from docfleet.runner.app import create_app
from docfleet.runner.settings import RunnerSettings

KEY = "k" * 32


def settings_from(**values: str) -> RunnerSettings:
    return read_settings(
        RunnerSettings, {"RUNNER_API_KEY": KEY, "EXECUTION_STORAGE_ROOT": "/srv", **values}, prefixes=("RUNNER_",)
    )


def test_the_application_is_built_without_a_warning() -> None:
    assert {route.path for route in create_app(settings_from()).routes} == {
        "/livez",
        "/readyz",
        "/v1/runs/{run_id:str}",
    }
