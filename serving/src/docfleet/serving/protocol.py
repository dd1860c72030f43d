"""uvicorn's HTTP/1.1 protocol with limits on what a peer may send, and for how long it may be silent.

uvicorn has a time limit for a connection between two requests only, and httptools, its parser, keeps a header of any
length. h11, its other parser, limits the size but no time, and is slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from docfleet.serving import host
from docfleet.serving.listener import Listener
from docfleet.serving.parser import RequestParser
from docfleet.serving.refusal import Refusal

_MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "the request is malformed: send HTTP/1.1")
_FULL = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests are in work: try again later")
_LATE = Refusal(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time: send it again")


class ListenerState(ServerState):
    """uvicorn's state of a server, with its listeners."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        super().__init__()
        self._by_port = {port: listener for listener in listeners for port in listener.ports}

    def of(self, transport: asyncio.BaseTransport) -> Listener:
        """The listener that accepted the connection."""
        return self._by_port[int(transport.get_extra_info("sockname")[1])]


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A peer that exceeds a limit gets an answer, and time to read it."""

    def __init__(
        self,
        config: Config,
        server_state: ListenerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = RequestParser(self)
        self._listeners = server_state
        self._listener: Listener = None  # type: ignore[assignment]  # set with the transport
        self._since = 0.0  # when the present wait for the peer began
        self._unparsed = 0  # bytes that completed no header and brought no body
        self._parsed = 0  # bytes of the request line and headers so far
        self._arrived = 0  # bytes of the body since ``_since``
        self._unsent, self._unsent_since = 0, 0.0
        self._in_head = False
        self._refusal: Refusal | None = None
        self._upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place of the listener, or answer 503."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._listener = self._listeners.of(transport)
        if not self._listener.admit(transport, self):
            self._refusal = _FULL
            transport.write(_FULL.answer())
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        super().connection_lost(exc)
        self._listener.forget(self.transport)

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    @property
    def _is_busy(self) -> bool:
        """Whether a request is in work, its body included."""
        return self.cycle is not None and not self.cycle.response_complete

    # What the peer sends

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which keeps what is not complete: so that is bounded."""
        if self._refusal is not None:
            return
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > self._listener.limits.header_bytes and not self._upgraded:
            self._refuse(self._too_large())

    def _too_large(self) -> Refusal:
        limit = self._listener.limits.header_bytes
        return Refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers of a request have at most {limit} bytes"
        )

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._parsed = self._unparsed = 0
        self._in_head = True
        if not self._is_busy:
            self._since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        super().on_url(url)
        self._unparsed = 0
        self._parsed += len(url)
        limit = self._listener.limits.header_bytes
        if self._parsed > limit:
            self._stop(Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, f"the URL of a request has at most {limit} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._unparsed = 0
        self._parsed += len(name) + len(value) + 4
        limits = self._listener.limits
        if self._parsed > limits.header_bytes:
            self._stop(self._too_large())
        if len(self.headers) >= limits.header_count:
            detail = f"a request has at most {limits.header_count} headers"
            self._stop(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The application gets the request."""
        if self.ignores_upgrade:
            return
        self._unparsed = 0
        self._in_head = False
        if fault := host.fault(self.headers, self.parser.get_http_version()):
            self._stop(Refusal(HTTPStatus.BAD_REQUEST, fault))
        if len(self.pipeline) >= self._listener.limits.pipelined:
            self._stop(Refusal(HTTPStatus.BAD_REQUEST, "too many requests in one connection: wait for their answers"))
        super().on_headers_complete()
        self._since, self._arrived = self.loop.time(), 0
        if self._is_busy:  # not so before the handshake of a WebSocket
            self._listener.busy(self.transport)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unparsed = 0
        self._arrived += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete, unless its head comes again."""
        if not self.ignores_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The peer's turn."""
        super().on_response_complete()
        if not self._is_busy:
            self._since = self.loop.time()
            self._listener.waits(self.transport)

    # Offers of other protocols

    def _should_upgrade(self) -> bool:
        """Whether the request is the handshake of a WebSocket (RFC 6455, 4.1)."""
        is_handshake = self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1"
        return is_handshake and super()._should_upgrade()

    @property
    def ignores_upgrade(self) -> bool:
        """Whether the request offers a protocol that is not spoken here. ``CONNECT`` is no offer."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT" and not self._should_upgrade()

    def head(self) -> bytes:
        """The head of the request without its offer."""
        lines = [b" ".join([self.parser.get_method(), self.url, b"HTTP/" + self.parser.get_http_version().encode()])]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def handle_websocket_upgrade(self) -> None:
        """A WebSocket has pings of its own, and keeps its place once its handshake is complete."""
        self._upgraded = True
        super().handle_websocket_upgrade()

    # Refusals

    def _stop(self, refusal: Refusal) -> None:
        """Refuse within a callback of the parser, which reports any exception as a malformed request."""
        self._refuse(refusal)
        raise refusal

    def send_400_response(self, msg: str) -> None:
        """Answer a request that the parser refuses."""
        self._refuse(_MALFORMED)

    def _refuse(self, refusal: Refusal) -> None:
        if self._refusal is not None or self.transport.is_closing():
            return
        self._refusal = refusal
        self._unset_keepalive_if_required()
        can_answer = not self.pipeline and not (self._is_busy and self.cycle.response_started)
        for cycle in [self.cycle, *(waiting for waiting, _ in self.pipeline)] if self._is_busy else []:
            cycle.disconnected = True
            cycle.message_event.set()
        if not can_answer:
            self.transport.abort()
            return
        self.flow.resume_reading()
        self.transport.write(refusal.answer())
        # Closing now would reset the connection: bytes are on the way. The peer would not see the answer.
        self.transport.write_eof()
        self._since = self.loop.time()
        self._listener.waits(self.transport)

    def shutdown(self) -> None:
        """uvicorn ends: a refused peer is not waited for."""
        if self._refusal is not None:
            self.transport.abort()
        else:
            super().shutdown()

    # Time

    def check(self, now: float) -> None:
        """End the connection when its peer has been silent for too long. ``now`` is the loop's time."""
        limits = self._listener.limits
        if self._upgraded:
            self._check_handshake(now)
            return
        if self._refusal is not None:
            if now - self._since > limits.linger_seconds:
                self.abort()
        elif unsent := self.transport.get_write_buffer_size():
            if unsent != self._unsent:
                self._unsent, self._unsent_since = unsent, now
            elif now - self._unsent_since > limits.answer_seconds:
                self.abort()
        elif not self._is_busy:
            self._unsent = 0
            if now - self._since > limits.header_seconds:
                self._expire()
        elif self.cycle.more_body:
            self._check_body(now)

    def _check_handshake(self, now: float) -> None:
        socket = self.transport.get_protocol()
        if isinstance(socket, WebSocketsSansIOProtocol) and socket.handshake_complete:
            self._listener.busy(self.transport)
        elif now - self._since > self._listener.limits.header_seconds:
            self.abort()

    def _expire(self) -> None:
        if self._in_head:
            self._refuse(_LATE)
        else:
            self.transport.close()

    def _check_body(self, now: float) -> None:
        limits = self._listener.limits
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:  # the application is slow, not the peer
            self._since, self._arrived = now, 0
        elif now - self._since > limits.body_seconds:
            if self._arrived < limits.body_bytes:
                self._refuse(_LATE)
            self._since, self._arrived = now, 0


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that frees the place of its connection."""

    def __init__(
        self,
        config: Config,
        server_state: ListenerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._listeners = server_state
        self._listener: Listener = None  # type: ignore[assignment]  # set with the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The place was taken when the connection began."""
        super().connection_made(transport)
        self._listener = self._listeners.of(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place that its request took."""
        super().connection_lost(exc)
        self._listener.forget(self.transport)
