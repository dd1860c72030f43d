"""Encryption of credentials."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from docfleet.backend.platform.encryption import Cipher
from docfleet.core.errors import ConfigurationError


def test_a_cipher_seals_and_detects_a_wrong_key() -> None:
    one, two = Cipher(Fernet.generate_key().decode()), Cipher(Fernet.generate_key().decode())
    encrypted = one.encrypt({"password": "hunter2"})
    assert "hunter2" not in encrypted and one.decrypt(encrypted) == {"password": "hunter2"}
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY"):
        two.decrypt(encrypted)
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY"):
        Cipher("not a key")
    assert one.digest({"a": 1, "b": 2}) == one.digest({"b": 2, "a": 1}) != two.digest({"a": 1, "b": 2})
