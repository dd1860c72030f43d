"""The log of an execution on a terminal: existing lines and, with --follow, new ones."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import click
import msgspec

from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.errors import BackendUnavailable
from docfleet.core.log_events import LogLevel
from docfleet.core.management.logs import LogFrame, LogLine

_RECONNECT_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
"""How long to wait for a backend that is being restarted."""
_OPEN_SECONDS = 10.0
_MAX_FRAME_BYTES = 64 * 1024 * 1024


def show(client: ManagementClient, execution_id: str, *, follow: bool, level: LogLevel, as_json: bool) -> None:
    """Print the log. Raises ``NotFound``, ``BackendUnavailable``."""
    client.execution(execution_id)  # raises a readable error; a refused WebSocket has none
    events = _follow(client, execution_id, level) if follow else client.logs(execution_id, level)
    for event in events:
        click.echo(json_line(event) if as_json else line(event))


def json_line(event: LogLine) -> str:
    """One event for programs: on one line even with unusual line separators, and harmless to a terminal."""
    text = terminal.as_json(msgspec.to_builtins(event), None)
    # JSON does not escape the upper control characters and U+2028. All unprintable characters are within strings.
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def line(event: LogLine) -> str:
    """One event for people."""
    from docfleet.cli.show.summary import plain

    when = datetime.fromtimestamp(event.timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]
    text = event.log or " ".join(filter(None, (event.component, event.state, event.message)))
    return f"{when}  {event.level:<5}  {event.stage:<11}  {plain(text)}"


def _follow(client: ManagementClient, execution_id: str, level: LogLevel) -> Iterator[LogLine]:
    """The events until the execution has ended. A broken connection is made again and continues after the last
    event."""
    # Imported here: no other command needs it, and it takes a fifth of a second.
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    after, lost = 0, time.monotonic()
    while True:
        url, headers = client.events_address(execution_id, after, level)
        try:
            with connect(
                url, additional_headers=headers, open_timeout=_OPEN_SECONDS, max_size=_MAX_FRAME_BYTES, proxy=None
            ) as socket:
                for text in socket:
                    frame = msgspec.convert(json.loads(text), LogFrame, strict=False)
                    lost = time.monotonic()
                    yield from frame.events or []
                    after = frame.last_event_id
                    if frame.end:
                        return
        except (OSError, WebSocketException) as error:
            cause = str(error) or type(error).__name__
        else:
            cause = "it closed the connection"
        if time.monotonic() - lost > _PATIENCE_SECONDS:
            raise BackendUnavailable(f"the log cannot be followed: {cause}; check that the backend runs")
        time.sleep(_RECONNECT_SECONDS)
