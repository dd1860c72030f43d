"""The table of rclone's backends that are connectors: fields of the settings, and rclone's options from them.

Ids and fields are the original's where it has the connector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from docfleet.connectors.base import ConnectorInfo, ConnectorMode
from docfleet.core.errors import ConfigurationError

type Settings = Mapping[str, Any]

_PATH = {"type": "string", "title": "Folder", "description": "Below the root of the account or share; empty: the root"}


class Backend(msgspec.Struct, frozen=True):
    """``kind`` is rclone's name of it. ``options`` raises ``ConfigurationError``; ``passwords`` are the options that
    rclone takes obscured; ``root`` is the folder of the settings."""

    kind: str
    info: ConnectorInfo
    options: Callable[[Settings], dict[str, str]]
    passwords: tuple[str, ...] = ()
    root: Callable[[Settings], str] = lambda settings: settings.get("path", "")


def _text(title: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "title": title, **more}


def _secret(title: str, **more: Any) -> dict[str, Any]:
    return _text(title, format="password", **more)


def _info(
    connector_id: str, name: str, description: str, required: list[str], fields: dict[str, Any], tested: str = ""
) -> ConnectorInfo:
    properties = {"connectorName": _text("Name of the connector"), **fields, "path": _PATH}
    return ConnectorInfo(
        connector_id=connector_id,
        name=name,
        description=description,
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=True,
        json_schema={
            "title": name,
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": False,
        },
        secrets=tuple(field for field, rule in fields.items() if rule.get("format") == "password"),
        tested=tested,
        extra="rclone",
    )


def _stated(settings: Settings, **fields: str) -> dict[str, str]:
    """The options named by ``fields`` (option=field), of those that are set."""
    return {option: str(settings[field]) for option, field in fields.items() if settings.get(field) not in (None, "")}


def _token(settings: Settings, access: str) -> dict[str, str]:
    if not settings.get(access):
        return {}
    token = {"access_token": settings[access], "token_type": "Bearer", "expiry": "0001-01-01T00:00:00Z"}
    if settings.get("refresh_token"):
        token["refresh_token"] = settings["refresh_token"]
        token["expiry"] = settings.get("token_expiry") or token["expiry"]
    return {"token": json.dumps(token)}


def _drive(settings: Settings) -> dict[str, str]:
    options = _stated(
        settings,
        client_id="client_id",
        client_secret="client_secret",
        service_account_credentials="service_account_credentials",
        root_folder_id="root_folder_id",
    )
    options |= {"scope": "drive", "skip_gdocs": "true", **_token(settings, "access_token")}
    if "token" not in options and "service_account_credentials" not in options:
        raise ConfigurationError("connector gdrive: set the field 'access_token' or 'service_account_credentials'")
    return options


def _sharepoint(settings: Settings) -> dict[str, str]:
    options = _stated(
        settings, client_id="client_id", client_secret="client_secret", tenant="tenant_id", drive_id="drive_id"
    )
    options |= {"drive_type": settings["drive_type"], **_token(settings, "access_token")}
    if settings["auth_type"] == "client_credentials":
        options["client_credentials"] = "true"
        missing = [name for name in ("client_id", "client_secret", "tenant_id") if not settings.get(name)]
        if missing:
            raise ConfigurationError(f"connector sharepoint: field {missing[0]!r} is missing; set it")
    elif "token" not in options:
        raise ConfigurationError("connector sharepoint: field 'access_token' is missing; set it")
    return options


def _ftp(settings: Settings) -> dict[str, str]:
    options = _stated(settings, host="host", port="port", user="user", **{"pass": "password"})
    return options | {
        "tls": str(settings["tls"] == "implicit").lower(),
        "explicit_tls": str(settings["tls"] == "explicit").lower(),
    }


_HOST = {"host": _text("Host"), "user": _text("User"), "password": _secret("Password")}
_OAUTH = {
    "access_token": _secret("Access token"),
    "refresh_token": _secret("Refresh token"),
    "token_expiry": _text("Expiry of the access token", description="ISO 8601"),
    "client_id": _text("Client id"),
    "client_secret": _secret("Client secret"),
}
_TABLE = (
    Backend(
        "webdav",
        _info(
            "webdav|0b8d6f0c-5c3a-4d43-9d0e-3f7c0a6b1e51",
            "WebDAV",
            "A folder of a WebDAV server: Nextcloud, ownCloud and others",
            ["url"],
            {
                "url": _text("URL"),
                "user": _text("User"),
                "password": _secret("Password"),
                "bearer_token": _secret("Bearer token", description="Instead of user and password"),
                "vendor": _text("Kind of server", enum=["other", "nextcloud", "owncloud", "fastmail"], default="other"),
            },
            tested="rclone serve webdav",
        ),
        lambda settings: _stated(
            settings, url="url", user="user", vendor="vendor", bearer_token="bearer_token", **{"pass": "password"}
        ),
        ("pass",),
    ),
    Backend(
        "ftp",
        _info(
            "ftp|5a4c0d3e-8f0d-4c57-b6a8-7f9b1d0e2c62",
            "FTP",
            "A folder of an FTP server, by TLS unless the settings say otherwise",
            ["host", "user"],
            {
                **_HOST,
                "port": {"type": "integer", "title": "Port", "default": 21, "minimum": 1, "maximum": 65535},
                "tls": _text("Encryption", enum=["explicit", "implicit", "none"], default="explicit"),
            },
            tested="rclone serve ftp",
        ),
        _ftp,
        ("pass",),
    ),
    Backend(
        "smb",
        _info(
            "smb|c1e7b2f4-2d6a-4b1f-9a57-6e0d4f8c3b73",
            "SMB",
            "A share of a Windows or Samba server",
            ["host", "user", "share"],
            {
                **_HOST,
                "port": {"type": "integer", "title": "Port", "default": 445, "minimum": 1, "maximum": 65535},
                "share": _text("Share"),
                "domain": _text("Domain", default="WORKGROUP"),
            },
        ),
        lambda settings: _stated(
            settings, host="host", port="port", user="user", domain="domain", **{"pass": "password"}
        ),
        ("pass",),
        lambda settings: f"{settings['share'].strip('/')}/{settings.get('path', '')}",
    ),
    Backend(
        "drive",
        _info(
            "gdrive|3ac4b966-9136-4261-944a-bdbfc51cd21c",
            "Google Drive",
            "A folder of Google Drive, without documents that have no content of their own",
            [],
            {
                **_OAUTH,
                "service_account_credentials": _secret("Key of a service account", description="JSON"),
                "root_folder_id": _text("Id of the root folder"),
            },
        ),
        _drive,
    ),
    Backend(
        "dropbox",
        _info(
            "dropbox|db6bf4a6-f892-4d25-8652-2bf251946134",
            "Dropbox",
            "A folder of Dropbox",
            ["token"],
            {
                "token": _secret("Access token"),
                **{name: rule for name, rule in _OAUTH.items() if name != "access_token"},
            },
        ),
        lambda settings: (
            _stated(settings, client_id="client_id", client_secret="client_secret") | _token(settings, "token")
        ),
    ),
    Backend(
        "onedrive",
        _info(
            "sharepoint|c8f4a9e2-7b3d-4e5f-a1c6-9d8e7f6b5a4c",
            "SharePoint and OneDrive",
            "A document library of SharePoint, or a OneDrive",
            ["drive_id"],
            {
                **_OAUTH,
                "site_url": _text("URL of the site", description="For people; the drive is found by its id"),
                "drive_id": _text("Id of the drive"),
                "drive_type": _text(
                    "Kind of drive", enum=["documentLibrary", "business", "personal"], default="documentLibrary"
                ),
                "auth_type": _text("Login", enum=["oauth", "client_credentials"], default="oauth"),
                "tenant_id": _text("Tenant id"),
                "user_email": _text("User", description="For people"),
            },
        ),
        _sharepoint,
    ),
)
BACKENDS = {backend.kind: backend for backend in _TABLE}
