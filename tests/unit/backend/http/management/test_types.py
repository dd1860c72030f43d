"""The description of the management API: each answer is a named type of ``docfleet.core.management``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from docfleet.backend.app import create_app
from docfleet.backend.settings import BackendSettings

KEY = "test-key-of-forty-characters-0123456789ab"
NOT_JSON = {"/api/v1/executions/{execution_id}/logs/export"}


class NoDispatcher:
    """Nothing is sent here."""

    def send(self, *_: Any) -> None:
        raise AssertionError("nothing is sent")

    broadcast = waiting = close = send


def description(folder: Path) -> dict[str, Any]:
    settings = BackendSettings(
        database_url=f"sqlite:///{folder}/docfleet.db",
        internal_service_api_key=KEY,
        encryption_key=Fernet.generate_key().decode(),
        broker_url="memory://",
    )
    return create_app(settings, NoDispatcher()).openapi_schema.to_schema()


def test_each_answer_of_the_management_api_is_a_named_type(tmp_path: Path) -> None:
    untyped = []
    seen = 0
    for path, methods in description(tmp_path)["paths"].items():
        if not path.startswith("/api/v1/") or path.startswith("/api/v1/unstract/") or path in NOT_JSON:
            continue
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    seen += 1
                    schema = response["content"]["application/json"]["schema"]
                    if not all("$ref" in part for part in schema.get("oneOf", [schema])):
                        untyped.append((method, path, status))
    assert seen > 40 and not untyped
