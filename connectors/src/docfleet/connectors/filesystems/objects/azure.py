"""Azure Blob Storage."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from docfleet.connectors.base import ConnectorInfo, ConnectorMode
from docfleet.connectors.filesystems.objects.store import ObjectFileSystem
from docfleet.core.errors import ConfigurationError
from docfleet.core.object_library import CLIENT_OPTIONS, RETRIES


class AzureFileSystem(ObjectFileSystem):
    """A container of a storage account, with its shared key. ``bucket`` is the container, as in the original."""

    scheme = "az"
    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="azure_cloud_storage|1476a54a-ed17-4a01-9f8f-cb7e4cf91c8a",
        name="Azure Blob Storage",
        description="A container of an Azure storage account",
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=True,
        tested="Azurite 3",
        extra="azure",
        libraries=("obstore",),
        secrets=("access_key",),
        json_schema={
            "title": "Azure Blob Storage",
            "type": "object",
            "required": ["account_name", "access_key", "bucket"],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "account_name": {"type": "string", "title": "Storage account"},
                "access_key": {"type": "string", "title": "Access key", "format": "password"},
                "bucket": {"type": "string", "title": "Container", "description": "CONTAINER or CONTAINER/FOLDER"},
                "endpoint_url": {
                    "type": "string",
                    "title": "Endpoint",
                    "description": "Of the account; empty: https://ACCOUNT.blob.core.windows.net",
                },
            },
            "additionalProperties": False,
        },
    )

    def _make(self, bucket: str) -> Any:
        from obstore.store import AzureStore

        values = self._settings
        account = values["account_name"]
        endpoint = values.get("endpoint_url", f"https://{account}.blob.core.windows.net").rstrip("/")
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigurationError(
                "connector azure_cloud_storage: field 'endpoint_url' must be https://HOST or http://HOST[:PORT]/ACCOUNT"
            )
        credentials = {"access_key": values["access_key"], "expires_at": None}
        return AzureStore(
            bucket,
            config={"account_name": account, "endpoint": endpoint},
            client_options=CLIENT_OPTIONS | {"allow_http": parts.scheme == "http"},
            retry_config=RETRIES,
            # Given as a value it would be mixed with credentials of the environment.
            credential_provider=lambda: credentials,  # type: ignore[arg-type]
        )
