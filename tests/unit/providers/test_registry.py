"""The providers that ship, and their settings."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.core.errors import ConfigurationError
from docfleet.providers.registry import open_provider, provider_names


def test_all_providers_are_installed() -> None:
    assert provider_names() == ("console", "email", "slack", "sms", "teams", "webhook")
    with pytest.raises(ConfigurationError, match="webhook"):
        open_provider("pigeon", {})


@pytest.mark.parametrize(
    ("provider", "settings", "words"),
    [
        ("webhook", {}, "url"),
        ("webhook", {"url": "http://x y/"}, "url"),
        ("webhook", {"url": "https://x/", "auth_key": "a\nb", "auth_type": "API_KEY"}, "auth_key"),
        ("webhook", {"url": "https://x/", "auth_key": "k", "auth_type": "BASIC"}, "auth_type"),
        ("slack", {"url": "https://x/", "channel": "#a"}, "channel"),
        ("sms", {"account_sid": "../x", "auth_token": "t", "sender": "+12", "recipient": "+23"}, "account_sid"),
        ("email", {"host": "x", "sender": "a@b.c", "recipients": []}, "recipients"),
        ("email", {"host": "x", "sender": "a@b.c\r\nBcc: d@e.f", "recipients": ["a@b.c"]}, "sender"),
        (
            "email",
            {"host": "x", "sender": "a@b.c", "recipients": ["a@b.c"], "username": "u", "password": "p",
             "security": "none"},
            "encryption",
        ),
        ("console", {"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(provider: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_provider(provider, settings)


def test_a_secret_in_the_place_of_another_setting_is_not_shown() -> None:
    settings = {"url": "https://x/", "auth_type": "s3cret - at `$.url`", "auth_key": "BEARER"}
    with pytest.raises(ConfigurationError) as refused:
        open_provider("webhook", settings)
    assert refused.value.message == "`auth_type` has to be one of NONE, BEARER, API_KEY, CUSTOM_HEADER"
    assert refused.value.__suppress_context__, "the traceback would tell it"
