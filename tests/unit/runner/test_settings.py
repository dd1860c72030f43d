"""The runner's settings."""

from __future__ import annotations

import pytest

from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings
from docfleet.runner.settings import RunnerSettings

KEY = "k" * 32


def settings_from(**values: str) -> RunnerSettings:
    return read_settings(
        RunnerSettings, {"RUNNER_API_KEY": KEY, "EXECUTION_STORAGE_ROOT": "/srv", **values}, prefixes=("RUNNER_",)
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"RUNNER_API_KEY": "short"}, "RUNNER_API_KEY"),
        ({"RUNNER_API_KEY": ""}, "RUNNER_API_KEY"),
        ({"EXECUTION_STORAGE_ROOT": "relative/path"}, "EXECUTION_STORAGE_ROOT"),
        ({"RUNNER_PORT": "many"}, "RUNNER_PORT"),
        ({"RUNNER_CONCURRENCY": "0"}, "RUNNER_CONCURRENCY"),
        ({"RUNNER_CONCURENCY": "2"}, "did you mean RUNNER_CONCURRENCY"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings_from(**values)


def test_settings_never_show_the_key() -> None:
    assert KEY not in repr(settings_from()) + str(settings_from())


def test_long_runs_take_half_of_the_slots_unless_set() -> None:
    assert [settings_from(RUNNER_CONCURRENCY=str(slots)).long_runs for slots in (1, 2, 3, 8)] == [1, 1, 1, 4]
    assert settings_from(RUNNER_CONCURRENCY="8", RUNNER_LONG_RUNS="1").long_runs == 1
