"""httptools' parser for a server that ignores offers of other protocols (RFC 9110, 7.8).

llhttp leaves HTTP where a head with ``Upgrade`` and ``Connection: upgrade`` ends: it drops the body, and takes what
follows for the other protocol. Java's ``HttpClient`` and ``curl --http2`` make such an offer with their first request.
"""

from __future__ import annotations

from typing import Protocol

import httptools


class Receiver(Protocol):
    """What the parser calls, beside the callbacks of httptools."""

    @property
    def ignores_upgrade(self) -> bool:
        """Whether the head that was parsed last offers a protocol that is not spoken here."""

    def head(self) -> bytes:
        """That head without its offer."""


class RequestParser(httptools.HttpRequestParser):
    """Parses a head once more when its offer is ignored: then without the offer, and with its body.

    The receiver sees such a head twice. It acts on the second one.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._begin()

    def _begin(self) -> None:
        super().__init__(self._receiver)
        # A request after one with ``Connection: close`` is dropped: the answer before it is sent all the same.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # a transport reads nothing else
        """Parse more bytes. Raises ``HttpParserUpgrade`` only when the receiver takes the offer."""
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if not self._receiver.ignores_upgrade:
                    raise
                head, data = self._receiver.head(), data[offer.args[0] :]
            else:
                return
            self._begin()
            super().feed_data(head)
