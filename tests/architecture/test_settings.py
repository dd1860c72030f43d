"""Settings of all processes in one environment: none refuses those of another, and each refuses a misspelt one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from docfleet.backend import settings as of_backend
from docfleet.core.errors import ConfigurationError
from docfleet.core.names import WorkerType
from docfleet.core.setting_names import SETTINGS
from docfleet.core.settings import EVERY_SETTING, environment_of
from docfleet.runner import settings as of_runner
from docfleet.workers.shared.infrastructure.config import settings as of_workers
from tests.every_setting import SECRETS, VALUES, every_setting

PROCESSES: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "backend": (of_backend.BackendSettings.read, of_backend.PREFIXES),
    "runner": (of_runner.runner_settings, of_runner.PREFIXES),
    **{
        worker.value: (lambda worker=worker: of_workers.worker_settings(worker), of_workers.PREFIXES)  # type: ignore[misc]
        for worker in WorkerType
    },
}
"""How each reads its settings, and the prefixes under which it knows every name."""
NEEDS = {
    "backend": {"INTERNAL_SERVICE_API_KEY", "INTERNAL_SERVICE_API_KEY_PREVIOUS", "METRICS_API_KEY", "ENCRYPTION_KEY"},
    "runner": {"RUNNER_API_KEY"},
    **{worker: {"INTERNAL_SERVICE_API_KEY", "RUNNER_API_KEY", "CELERY_BROKER_PASS"} for worker in WorkerType},
    "valkey": set(),
    "lifeline": set(),
}
"""The secrets that each process needs."""


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    environment = every_setting()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield environment


def test_every_setting_is_there(shared: dict[str, str]) -> None:
    assert set(shared) >= EVERY_SETTING and set(VALUES) <= set(shared)


@pytest.mark.parametrize("process", PROCESSES)
def test_no_process_refuses_a_setting_of_another(process: str, shared: dict[str, str]) -> None:
    read, _ = PROCESSES[process]
    read()


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_refuses_a_misspelt_setting_and_names_the_right_one(
    process: str, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, prefixes = PROCESSES[process]
    tried = 0
    for name in sorted(EVERY_SETTING):
        for wrong in (name[:-1], name + "S", name[:-2] + name[-1] + name[-2]):
            if not wrong.startswith(prefixes) or wrong in EVERY_SETTING:
                continue
            with monkeypatch.context() as patch:
                patch.setenv(wrong, "1")
                with pytest.raises(ConfigurationError, match=f"^unknown setting {wrong}: did you mean ") as refusal:
                    read()
            assert refusal.value.message.removesuffix("?").rpartition(" ")[2] in EVERY_SETTING
            tried += 1
    assert tried > 15, process


@pytest.mark.parametrize("process", NEEDS)
def test_a_process_gets_the_secrets_that_it_needs_and_no_others(process: str, shared: dict[str, str]) -> None:
    given = environment_of(process, {**shared, "PATH": "/bin", "AWS_PROFILE": "theirs"})
    assert (given["PATH"], given["AWS_PROFILE"]) == ("/bin", "theirs")
    assert set(SECRETS) & set(given) == NEEDS[process]
    if process in SETTINGS:
        assert SETTINGS[process] <= set(given)
    assert ("DATABASE_URL" in given) is (process == "backend")


def test_a_worker_gets_its_own_variables_and_not_those_of_others(shared: dict[str, str]) -> None:
    given = environment_of(WorkerType.GENERAL, shared)
    assert "GENERAL_BROKER_PASS" in given and "CALLBACK_BROKER_PASS" not in given
    assert "CELERY_BROKER_PASS" in given and "FILE_PROCESSING_CONCURRENCY" in given
