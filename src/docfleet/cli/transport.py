"""Calls of the management API over HTTP: returns typed answers, raises errors of ``docfleet.core.errors``."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request

import msgspec

from docfleet.core.error_codes import error_from_code
from docfleet.core.errors import BackendUnavailable, DocfleetError, InvalidInput
from docfleet.core.management import MAX_REQUEST_BYTES

TIMEOUT_SECONDS = 20.0
_WRONG_SERVER = "what answers at {} is not a Docfleet backend: check --url"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ManagementTransport:
    """Sends requests to one backend for one organization: the one of the key, where none is named."""

    def __init__(self, backend_url: str, key: str, organization_id: str | None) -> None:
        self.base = f"{backend_url}/api/v1"
        self.headers = {"Authorization": f"Bearer {key}"}
        if organization_id:
            self.headers["X-Organization-ID"] = organization_id

    def call[Answer](
        self,
        answer: type[Answer],
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """Send ``body``, a struct or a dict, as JSON and read the answer as ``answer``.

        Raises ``InvalidInput`` for a body that is too large to be sent, the error that the backend answers with, and
        ``BackendUnavailable``. ``timeout`` is in seconds.
        """
        # Not msgspec's encoder: a path may hold bytes that are not UTF-8, which JSON escapes can represent.
        data = None if body is None else json.dumps(msgspec.to_builtins(body)).encode()
        if data is not None and len(data) > MAX_REQUEST_BYTES:
            raise InvalidInput(
                f"the request has {len(data)} bytes: the backend takes at most {MAX_REQUEST_BYTES}; make it smaller"
            )
        request = urllib.request.Request(
            f"{self.base}/{path}",
            data=data,
            method=method,
            headers={**self.headers, "Content-Type": "application/json", **(headers or {})},
        )
        try:
            with _OPENER.open(request, timeout=timeout) as response:
                content = response.read()
            return msgspec.convert(json.loads(content or b"{}"), answer, strict=False)
        except urllib.error.HTTPError as error:
            raise _problem(error) from error
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise BackendUnavailable(
                f"the backend at {self.base} does not answer: {cause}; check that it runs and that --url is right"
            ) from error
        except (ValueError, msgspec.ValidationError) as error:
            raise BackendUnavailable(_WRONG_SERVER.format(self.base)) from error


def _problem(error: urllib.error.HTTPError) -> DocfleetError:
    """The error that an ``application/problem+json`` answer describes."""
    text = error.read().decode(errors="replace")
    try:
        problem = json.loads(text)
        detail = str(problem.get("detail") or problem.get("title") or text)
        code = str(problem.get("code", ""))
    except (ValueError, AttributeError):
        detail, code = f"HTTP {error.code}: {text[:300]}", ""
    if not code and error.code < 500:
        return BackendUnavailable(f"{_WRONG_SERVER.format(error.url)} ({detail})")
    return error_from_code(code, detail)
