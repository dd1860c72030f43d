"""A workflow published as an API in a fleet, and calls of it as bytes on a connection."""

from __future__ import annotations

import http.client
import json
import uuid
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from docfleet.cli.embedded.system import EmbeddedSystem
from docfleet.cli.management import ManagementClient
from docfleet.core.management.keys import Scope
from tests.acceptance.fleet import Fleet

NO_OP = {"tool": "passthrough", "settings": {"copy": False}}
BETTER = {"Accept": "application/vnd.docfleet+json"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``body`` is its JSON."""

    status: int
    headers: http.client.HTTPMessage
    body: Any


@dataclass(frozen=True)
class Published:
    """An API and a key for it."""

    client: ManagementClient
    name: str
    url: str
    key: str

    @classmethod
    def publish(cls, fleet: Fleet | EmbeddedSystem, *tools: dict[str, Any], organization: str = "default") -> Self:
        """A new API over these tools; the no-op one by default."""
        client = ManagementClient(fleet.addresses, organization)
        name = f"api-{uuid.uuid4().hex[:12]}"
        ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}}
        client.put_workflow({"name": name, "tools": list(tools) or [NO_OP], **ends})
        applied = client.put_deployment({"api_name": name, "workflow": name})
        key = client.create_key(Scope.DEPLOYMENT, name, "test").key
        return cls(client, name, client.absolute(applied.url), key)

    @property
    def authorized(self) -> dict[str, str]:
        """The header with the key."""
        return {"Authorization": f"Bearer {self.key}"}

    def post(self, *files: tuple[str, bytes | str], headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """A call with these files."""
        boundary = uuid.uuid4().hex
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.send("POST", form(boundary, files, fields), {**kind, **(headers or {})})

    def poll(self, execution_id: str, headers: dict[str, str] | None = None, **query: str) -> Answer:
        """Ask for an execution."""
        return self.send("GET", None, headers, execution_id=execution_id, **query)

    def send(self, method: str, body: Any, headers: dict[str, str] | None = None, **query: str) -> Answer:
        """Any request to the API's URL; ``body`` as ``http.client`` takes it."""
        return request(self.url, method, body, {**self.authorized, **(headers or {})}, **query)


def request(url: str, method: str, body: Any, headers: dict[str, str], **query: str) -> Answer:
    """One request on a connection of its own."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=90)
    path = f"{where.path}?{urlencode(query)}" if query else where.path
    try:
        try:
            connection.request(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was read to its end: the answer is there all the same
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, json.loads(answer.read() or b"null"))
    finally:
        connection.close()


def form(boundary: str, files: tuple[tuple[str, bytes | str], ...], fields: dict[str, str]) -> bytes:
    """A multipart body."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [
        f'name="files"; filename="{name}"\r\n\r\n'.encode()
        + (content if isinstance(content, bytes) else content.encode())
        for name, content in files
    ]
    head = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
