"""``docfleet config``: values, where they came from, and no secrets."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from docfleet.cli.commands.config import command, effective, masked


class Sample(msgspec.Struct, rename="upper"):
    api_key: str
    celery_concurrency: int = 4
    url: str = "x"
    note: str | None = None


def test_every_setting_says_where_it_came_from() -> None:
    found = effective(Sample, {"API_KEY": "hidden-value", "URL": " "})
    assert [(entry.name, entry.value, entry.origin) for entry in found] == [
        ("API_KEY", "********", "environment API_KEY"),
        ("CELERY_CONCURRENCY", "4", "default"),
        ("URL", "x", "default"),
        ("NOTE", None, "default"),
    ]
    assert effective(Sample, {})[0].origin.startswith("missing")


def test_a_workers_own_variable_goes_first() -> None:
    source = {"GENERAL_CONCURRENCY": "9", "CELERY_CONCURRENCY": "5", "API_KEY": "k"}
    found = effective(Sample, source, lambda name: name.replace("CELERY_", "GENERAL_"))
    assert (found[1].value, found[1].origin) == ("9", "environment GENERAL_CONCURRENCY")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("X_KEY", "abc", "********"),
        ("CELERY_BROKER_PASS", "abc", "********"),
        ("BROKER_URL", "amqp://u:p%40@h:1/v", "amqp://u:********@h:1/v"),
        ("REDIS_URL", "redis://:p@h/0", "redis://:********@h/0"),
        ("REDIS_URL", "unix:///tmp/x.sock?db=2", "unix:///tmp/x.sock?db=2"),
        ("LOG_LEVEL", "INFO", "INFO"),
    ],
)
def test_secrets_are_masked(name: str, value: str, shown: str) -> None:
    assert masked(name, value) == shown


def test_refused_settings_end_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_API_KEY", "short-but-secret")
    monkeypatch.setenv("EXECUTION_STORAGE_ROOT", "/tmp")
    answer = CliRunner().invoke(command, ["runner"], standalone_mode=False)
    assert answer.return_value == 2
    assert "too short" in answer.output
    assert "short-but-secret" not in answer.output
