"""Fault points: places where a test makes a process die, stop or wait. Off unless the environment arms them.

``DOCFLEET_FAULTS`` holds faults, separated by ``;``: ``POINT[(SUBJECT)]=ACTION[:SECONDS][@N[-M]]``, for example
``delivery.written=kill@2; tool.before(bad.pdf)=kill; report.before=sleep:5``. With ``SUBJECT`` it applies only to that
file or task. With ``@N`` it applies only the N-th time, with ``@N-M`` from the N-th to the M-th time, counted over all
processes. Without it, it applies each time.

In ``DOCFLEET_FAULTS_FOLDER`` processes count together: one file per hit, which holds the process id and the action
(``-`` where it was not its turn yet). When it is set, the file ``armed`` in it, if there, is read again at
each point and takes the place of ``DOCFLEET_FAULTS``, so that running processes can be armed and disarmed.

Actions: ``kill`` (SIGKILL of itself), ``kill_group`` (of the process group: a complete worker), ``stop`` (SIGSTOP),
``exit`` (at once, code 70), ``raise`` (``InjectedFault``), ``sleep:SECONDS``, ``hold`` (wait until what is armed
changes, at most a minute), ``mark`` (only count).
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from pathlib import Path

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings

ACTIONS = ("kill", "kill_group", "stop", "exit", "raise", "sleep", "hold", "mark")
ARMED = "armed"
HOLD_SECONDS = 60.0
_POLL_SECONDS = 0.02
_EXIT_CODE = 70
_FAULT = re.compile(
    r"(?P<point>[a-z_]+(?:\.[a-z_]+)+)(?:\((?P<subject>[^()]*)\))?=(?P<action>[a-z_]+)"
    r"(?::(?P<seconds>\d+(?:\.\d+)?))?(?:@(?P<first>[1-9]\d*)(?:-(?P<last>[1-9]\d*))?)?\Z"
)


class InjectedFault(RuntimeError):
    """The error of the action ``raise``, which no code handles specifically."""


class FaultSettings(msgspec.Struct, frozen=True, rename="upper"):
    """Which faults are armed in this process; none by default."""

    docfleet_faults: str | None = None
    """Faults that are armed, as `delivery.written=kill@2; report.before=sleep:5`. For tests only."""
    docfleet_faults_folder: str | None = None
    """A folder whose file `armed` a running process reads again at each fault point. For tests only."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One armed fault. It applies to hits ``first`` to ``last`` (None: no end) of ``subject`` (None: any)."""

    point: str
    action: str
    subject: str | None = None
    seconds: float = 0.0
    first: int = 1
    last: int | None = None

    def meets(self, hit: int) -> bool:
        """True when it is this hit's turn."""
        return self.first <= hit and (self.last is None or hit <= self.last)


def point(name: str, subject: str = "") -> None:
    """A named place of the code path; ``subject`` is the file or task that is at it. Does nothing unless armed."""
    if _armed is not None:
        _armed.reach(name, subject)


def parse(text: str) -> list[Fault]:
    """The faults of ``text``; lines that start with ``#`` are comments. Raises ``ConfigurationError``."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    faults = []
    for part in filter(None, (part.strip() for line in lines for part in line.split(";"))):
        match = _FAULT.match(part)
        if match is None or match["action"] not in ACTIONS:
            raise ConfigurationError(
                f"fault {part!r} is malformed: write POINT=ACTION[:SECONDS][@N[-M]], ACTION one of {', '.join(ACTIONS)}"
            )
        first = int(match["first"] or 1)
        last = int(match["last"] or first) if match["first"] else None
        faults.append(
            Fault(
                point=match["point"],
                subject=match["subject"],
                action=match["action"],
                seconds=float(match["seconds"] or 0),
                first=first,
                last=last,
            )
        )
    return faults


class ArmedFaults:
    """The faults of one process. ``folder`` None counts within the process."""

    def __init__(self, text: str, folder: Path | None = None) -> None:
        self._folder = folder
        self._default = text
        self._text: str | None = None
        self._faults: list[Fault] = []
        self._counts: dict[str, int] = {}
        self._refresh()

    def reach(self, name: str, subject: str) -> None:
        """Count a hit of each fault at this point, and act where it is its turn."""
        if self._folder is not None:
            self._refresh()
        for number, fault in enumerate(self._faults):
            if fault.point == name and fault.subject in (None, subject) and self._is_turn(number, fault):
                self._act(fault)

    def _refresh(self) -> None:
        text = self._default
        if self._folder is not None:
            try:
                text = (self._folder / ARMED).read_text()
            except FileNotFoundError:
                pass
        if text != self._text:
            self._text, self._faults = text, parse(text)

    def _is_turn(self, number: int, fault: Fault) -> bool:
        # A count starts anew when the armed faults change; a comment with a random word changes them.
        generation = hashlib.sha256((self._text or "").encode()).hexdigest()[:12]
        key = f"{fault.point}.{number}.{generation}"
        hit = self._counts.get(key, 0) + 1
        if self._folder is not None:
            while not self._take(self._folder / f"{key}.{hit}", fault, hit):
                hit += 1  # taken by another process
        self._counts[key] = hit
        return fault.meets(hit)

    @staticmethod
    def _take(marker: Path, fault: Fault, hit: int) -> bool:
        try:
            descriptor = os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return False
        os.write(descriptor, f"{os.getpid()} {fault.action if fault.meets(hit) else '-'}\n".encode())
        os.close(descriptor)
        return True

    def _act(self, fault: Fault) -> None:
        match fault.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "kill_group":
                os.killpg(os.getpgrp(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
                time.sleep(_POLL_SECONDS)  # another thread may handle the signal: this one must not continue
            case "exit":
                os._exit(_EXIT_CODE)
            case "raise":
                raise InjectedFault(f"injected at {fault.point}")
            case "sleep":
                time.sleep(fault.seconds)
            case "hold":
                self._hold()

    def _hold(self) -> None:
        held = self._text
        end = time.monotonic() + HOLD_SECONDS
        while time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
            if self._folder is not None:
                # Another thread may have noticed the change first.
                self._refresh()
                if self._text != held:
                    return


def is_armed() -> bool:
    """True in a process whose environment names faults or a folder for them."""
    return _armed is not None


def _from_environment() -> ArmedFaults | None:
    settings = read_settings(FaultSettings)
    if settings.docfleet_faults is None and settings.docfleet_faults_folder is None:
        return None
    folder = Path(settings.docfleet_faults_folder) if settings.docfleet_faults_folder else None
    return ArmedFaults(settings.docfleet_faults or "", folder)


_armed = _from_environment()
