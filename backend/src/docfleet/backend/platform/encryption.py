"""Secrets at rest: JSON objects encrypted with Fernet under ENCRYPTION_KEY."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from docfleet.core.errors import ConfigurationError


class Cipher:
    """Encrypts and decrypts objects; its ``repr`` shows nothing."""

    def __init__(self, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise ConfigurationError(
                "setting ENCRYPTION_KEY is malformed: it has to be 32 bytes in URL-safe base64 (a Fernet key)"
            ) from error
        self._key = key.encode()

    def encrypt(self, value: dict[str, Any]) -> str:
        """``value`` encrypted, as text."""
        return self._fernet.encrypt(msgspec.json.encode(value)).decode()

    def decrypt(self, encrypted: str) -> dict[str, Any]:
        """The object that ``encrypt`` encrypted. Raises ``ConfigurationError`` when the key is another."""
        try:
            value: dict[str, Any] = msgspec.json.decode(self._fernet.decrypt(encrypted.encode()))
        except InvalidToken as error:
            raise ConfigurationError(
                "a stored credential cannot be decrypted: ENCRYPTION_KEY is not the key it was encrypted with; "
                "set the old key or apply the workflow again"
            ) from error
        return value

    def digest(self, value: Any) -> str:
        """A keyed fingerprint (64 hex): shows whether a value changed, and nothing about it."""
        return hmac.new(self._key, msgspec.json.encode(value, order="deterministic"), hashlib.sha256).hexdigest()
