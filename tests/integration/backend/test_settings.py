"""The backend's settings."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings

GOOD = {
    "DATABASE_URL": "sqlite:////tmp/x.db",
    "INTERNAL_SERVICE_API_KEY": "k" * 32,
    "ENCRYPTION_KEY": Fernet.generate_key().decode(),
    "CELERY_BROKER_BASE_URL": "redis://localhost",
}


def test_the_defaults() -> None:
    settings = read_settings(BackendSettings, GOOD)
    assert (settings.backend_port, settings.max_file_attempts, settings.keys) == (8000, 3, ("k" * 32,))
    assert "k" * 32 not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", ""),
        ("INTERNAL_SERVICE_API_KEY", "dev-internal-key-123"),
        ("INTERNAL_SERVICE_API_KEY", "short"),
        ("INTERNAL_SERVICE_API_KEY_PREVIOUS", "short"),
        ("METRICS_API_KEY", "short"),
        ("METRICS_API_KEY", GOOD["INTERNAL_SERVICE_API_KEY"]),
        ("BACKEND_PORT", "http"),
        ("BACKEND_PORT", "70000"),
        ("MAX_FILE_ATTEMPTS", "0"),
        ("LOG_FORMAT", "xml"),
        ("CELERY_BROKER_BASE_URL", ""),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read_settings(BackendSettings, GOOD | {name: value})


@pytest.mark.parametrize("name", ["BACKEND_PROT", "MAX_FILE_ATEMPTS", "DISPATCH_DEADLINE_SECOND"])
def test_a_misspelt_setting_is_refused_and_the_right_one_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in GOOD.items():
        monkeypatch.setenv(key, value)
    BackendSettings.read()
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationError, match=f"unknown setting {name}: did you mean"):
        BackendSettings.read()
