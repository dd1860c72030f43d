"""How the outbox stands, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator

from docfleet.backend.db import Database
from docfleet.backend.notifications import delivery


def outbox_lines(database: Database) -> Iterator[str]:
    """The exposition, line by line."""
    with database.reading() as connection:
        found = delivery.counts(connection)
    name = "docfleet_notification_events"
    yield f"# HELP {name} Events of notifications by state, as long as they are kept."
    yield f"# TYPE {name} gauge"
    for state, number in found.items():
        yield f'{name}{{state="{state}"}} {number}'
