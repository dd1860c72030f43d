"""Where an SFTP server is, who logs in, and by which keys the server is known."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from docfleet.core.errors import ConfigurationError

_FINGERPRINT = "SHA256:"


class LoginRefused(Exception):
    """The server is not the one that is trusted, or does not let this user in. A repeat changes nothing."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """``host_keys`` are fingerprints as ``ssh-keygen -l`` prints them."""

    host: str
    port: int
    username: str
    host_keys: frozenset[str]
    password: str | None = None
    private_key: str | None = None
    passphrase: str | None = None

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def distrust(self, shown: Iterable[str]) -> LoginRefused:
        """The refusal of a server that identifies itself by the keys ``shown`` (``TYPE FINGERPRINT``)."""
        keys = ", ".join(shown)
        if not self.host_keys:
            return LoginRefused(
                f"the host key of {self.address} is not known, so nothing was sent to it. It shows {keys}. If the "
                "operator of the server confirms one of these fingerprints, put it into the field 'host_key'"
            )
        known = ", ".join(sorted(self.host_keys))
        return LoginRefused(
            f"the host key of {self.address} is not the one in the field 'host_key' ({known}), so nothing was sent to "
            f"it. It shows {keys}. Either somebody stands in between, or the server has a new key: ask its operator, "
            "and change the field only if he confirms the fingerprint"
        )


def host_key_fingerprints(setting: str) -> frozenset[str]:
    """The fingerprints of the field ``host_key``: one key a line, as a fingerprint (``SHA256:…``), as a public key
    (``ssh-ed25519 AAAA…``) or as a line of a known_hosts file. Raises ``ConfigurationError``."""
    lines = (line.strip() for line in setting.splitlines())
    return frozenset(_fingerprint(line) for line in lines if line and not line.startswith("#"))


def _fingerprint(line: str) -> str:
    words = line.split()
    for word in words:
        if word.startswith(_FINGERPRINT) and len(word) > len(_FINGERPRINT):
            return word.rstrip("=")
    for kind, encoded in pairwise(words):
        if kind.startswith(("ssh-", "ecdsa-sha2-")):
            try:
                digest = hashlib.sha256(base64.b64decode(encoded, validate=True)).digest()
            except binascii.Error:
                break
            return _FINGERPRINT + base64.b64encode(digest).decode().rstrip("=")
    raise ConfigurationError(
        "connector sftp: field 'host_key' is malformed: give one key a line, as a fingerprint (SHA256:...), a public "
        "key (ssh-ed25519 AAAA...) or a line of known_hosts"
    )
