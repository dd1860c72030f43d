"""A table of a trial: made, filled, read and dropped again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress

from docfleet.connectors.base import DatabaseConnector, DeliveryRow, TableSettings
from docfleet.core.errors import DestinationError, DestinationRejected


def try_writing(database: DatabaseConnector, target: TableSettings, drop: Callable[[TableSettings], object]) -> None:
    """What ``DatabaseConnector.probe`` promises; ``drop`` drops a table where there is one."""
    unique = uuid.uuid4().hex
    # Short enough for every dialect, and beside the target's table: another schema has other rights.
    table = ".".join((*target.table.split(".")[:-1], f"docfleet_probe_{unique[:12]}"))
    own = TableSettings(table=table)
    row = DeliveryRow(execution_id=unique, file_execution_id=unique, file_path="probe", result={"probe": unique})
    try:
        digest = database.deliver(own, row).digest
        if [stored.digest for stored in database.read_back(own, unique)] != [digest]:
            raise DestinationRejected(f"a row of table {table} is read back with another content")
    except DestinationError:
        with suppress(DestinationError):  # the first error is the cause
            drop(own)
        raise
    drop(own)
