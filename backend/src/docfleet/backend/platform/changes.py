"""The changes that putting a named resource makes."""

from __future__ import annotations

import msgspec

from docfleet.core.management.changes import PlannedChange


class Change(msgspec.Struct, frozen=True):
    """A resource is ``created``, or the ``fields`` of an existing one change. In a dry run, the id of a new
    one is not kept."""

    resource_id: str
    created: bool
    fields: list[str]

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        return self.created or bool(self.fields)

    @property
    def plan(self) -> PlannedChange:
        """The answer of a dry run."""
        return PlannedChange(created=self.created, changed=self.fields)
