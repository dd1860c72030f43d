"""Requests to the hosts that the settings name, and to no others.

The operator chose those hosts, so they may be in a private network. What a server answers chooses nothing: a redirect
is followed only to the same host, and from http to https.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters
import urllib3

_REDIRECTS = 5
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_PASSING = (429, 500, 502, 503, 504)
_PORTS = {"http": 80, "https": 443}


class Missing(Exception):
    """There is nothing at this URL."""


class RequestRefused(Exception):
    """The server does not give it; a repeat changes nothing."""


class HostUnavailable(Exception):
    """The server does not answer, or not now."""


class Client:
    """A session with retries. ``login`` is sent with each request; only hosts of the settings are asked."""

    def __init__(self, login: tuple[str, str] | None) -> None:
        self._session = requests.Session()
        # A function, because without one requests takes the passwords in ~/.netrc.
        self._session.auth = login or (lambda request: request)
        # The bytes of the file, not those of a transfer.
        self._session.headers["Accept-Encoding"] = "identity"
        retries = urllib3.Retry(
            total=2,
            backoff_factor=0.2,
            status_forcelist=_PASSING,
            allowed_methods=("GET", "HEAD"),
            redirect=False,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        for scheme in _PORTS:
            self._session.mount(f"{scheme}://", requests.adapters.HTTPAdapter(max_retries=retries))

    def request(self, method: str, url: str) -> requests.Response:
        """The answer with its body unread; the caller closes it.

        Raises ``Missing``, ``RequestRefused`` or ``HostUnavailable``.
        """
        for _ in range(_REDIRECTS):
            answer = self._send(method, url)
            if not answer.is_redirect:
                return _checked(answer)
            target = urljoin(url, answer.headers["Location"])
            answer.close()
            if not _stays(url, target):
                raise RequestRefused(
                    f"it redirects to {_origin(target)}, and only hosts in the settings are asked: if that is right, "
                    "name that host in the settings"
                )
            url = target
        raise RequestRefused(f"it redirects more than {_REDIRECTS} times")

    def _send(self, method: str, url: str) -> requests.Response:
        options: dict[str, Any] = {"allow_redirects": False, "stream": True}
        try:
            return self._session.request(method, url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), **options)
        except requests.exceptions.SSLError as error:
            raise RequestRefused("its certificate is not valid here, or it does not speak TLS") from error
        except requests.exceptions.Timeout as error:
            raise HostUnavailable("it does not answer in time") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise RequestRefused("its URL is malformed") from error
        except requests.exceptions.RequestException as error:
            # The text of the error may hold the URL with its query, which may hold a token.
            raise HostUnavailable(f"the connection failed ({type(error).__name__})") from None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _checked(answer: requests.Response) -> requests.Response:
    status = answer.status_code
    if status == 200:
        return answer
    answer.close()
    if status in (404, 410):
        raise Missing
    if status in _PASSING:
        raise HostUnavailable(f"it answers {status}: try again later")
    if status in (401, 403, 407):
        raise RequestRefused(f"it answers {status}: user or password is wrong, or this user may not read it")
    raise RequestRefused(f"it answers {status}")


def _stays(url: str, target: str) -> bool:
    here, there = _origin(url), _origin(target)
    # An upgrade to https comes with the port of https.
    return there == here or (there[0] == "https" and here[0] == "http" and there[1:] == (here[1], 443))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
