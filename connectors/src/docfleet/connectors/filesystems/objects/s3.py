"""Amazon S3 and servers that speak its protocol (MinIO, Ceph, ...)."""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

from docfleet.connectors.base import ConnectorInfo, ConnectorMode
from docfleet.connectors.filesystems.objects.store import ObjectFileSystem
from docfleet.core.errors import ConfigurationError
from docfleet.core.object_library import CLIENT_OPTIONS, RETRIES

_AMAZON = re.compile(r"s3\.amazonaws\.com")


class S3FileSystem(ObjectFileSystem):
    """A bucket of S3. ``key`` and ``secret`` go together; without them the platform's chain has the credentials."""

    scheme = "s3"
    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="minio|c799f6e3-2b57-434e-aaac-b5daa415da19",
        name="S3 and compatible",
        description="A bucket of Amazon S3, MinIO or another server of this protocol",
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=True,
        tested="moto 5, s3rver 3",
        extra="s3",
        libraries=("obstore",),
        secrets=("secret", "session_token"),
        json_schema={
            "title": "S3 and compatible",
            "type": "object",
            "required": ["endpoint_url", "region_name"],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "key": {"type": "string", "title": "Access key", "description": "Empty: the platform's credentials"},
                "secret": {"type": "string", "title": "Secret key", "format": "password"},
                "session_token": {
                    "type": "string",
                    "title": "Session token",
                    "format": "password",
                    "description": "Of temporary credentials",
                },
                "endpoint_url": {"type": "string", "title": "Endpoint", "default": "https://s3.amazonaws.com"},
                "region_name": {"type": "string", "title": "Region", "default": "ap-south"},
                "bucket": {
                    "type": "string",
                    "title": "Bucket",
                    "description": "BUCKET or BUCKET/FOLDER; empty: the first name of each path is the bucket",
                },
            },
            "additionalProperties": False,
        },
    )

    def _make(self, bucket: str) -> Any:
        from obstore.store import S3Store

        values = self._settings
        region, endpoint = values["region_name"], values["endpoint_url"].rstrip("/")
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigurationError("connector minio: field 'endpoint_url' must be http://HOST[:PORT] or https://HOST")
        if _AMAZON.fullmatch(parts.hostname):
            endpoint = f"https://s3.{region}.amazonaws.com"
        options: dict[str, Any] = {}
        if bool(values.get("key")) != bool(values.get("secret")):
            raise ConfigurationError("connector minio: fields 'key' and 'secret' go together; set both or neither")
        if values.get("key"):
            credentials = {
                "access_key_id": values["key"],
                "secret_access_key": values["secret"],
                "token": values.get("session_token"),
                "expires_at": None,
            }
            # Given as values they would be mixed with a session token of the environment.
            options["credential_provider"] = lambda: credentials
        return S3Store(
            bucket,
            config={"endpoint": endpoint, "region": region, "virtual_hosted_style_request": False},
            client_options=CLIENT_OPTIONS | {"allow_http": parts.scheme == "http"},
            retry_config=RETRIES,
            **options,
        )
