"""The result of comparing a destination with the rows of an execution."""

from __future__ import annotations

from typing import Self

import msgspec

MAX_FINDINGS = 100
"""The most findings that are listed; the rest is only counted."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong. ``kind`` is doubled, missing, changed, unreadable or unexpected."""

    kind: str
    file_execution_id: str
    file: str
    detail: str


class Verification(msgspec.Struct, kw_only=True):
    """The result. Counts are files; ``expected`` = ``delivered_once`` + ``doubled`` + ``missing`` + ``changed`` +
    ``unreadable`` + ``replaced``.

    ``replaced`` counts files whose document a later execution has delivered, where the destination keeps one row of it.
    ``unreadable`` counts files that may be there, but could not be compared: the backend may not read them.
    ``unexpected`` counts what is there for a file that is not COMPLETED, ``error_rows`` the error rows of failed files,
    ``not_compared`` delivered files without a digest in the ledger (delivered by an earlier version).
    """

    execution_id: str
    status: str
    destination: str
    clean: bool = False
    expected: int = 0
    delivered_once: int = 0
    doubled: int = 0
    missing: int = 0
    changed: int = 0
    unreadable: int = 0
    replaced: int = 0
    unexpected: int = 0
    error_rows: int = 0
    not_compared: int = 0
    findings: list[Finding] = []
    more_findings: int = 0

    def add(self, kind: str, file_execution_id: str, file: str, detail: str) -> None:
        """Count a finding, and keep it while there is room."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(kind, file_execution_id, file, detail))
        else:
            self.more_findings += 1

    def conclude(self) -> Self:
        """Work out ``delivered_once`` and ``clean`` from the counts."""
        wrong = self.doubled + self.missing + self.changed + self.unreadable
        self.delivered_once = self.expected - wrong - self.replaced
        self.clean = not (wrong or self.unexpected)
        return self
