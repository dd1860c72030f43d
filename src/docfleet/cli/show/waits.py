"""What an execution waits for, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from docfleet.cli.show.summary import plain
from docfleet.core.management.executions import PresentWait, WaitReasons


def lines(reasons: WaitReasons) -> Iterator[str]:
    """The execution's cause, the number of files with each cause, and the first files."""
    if reasons.status.is_final:
        yield f"it has ended: {reasons.status.value}"
        return
    if reasons.waiting is not None:
        yield f"it waits for {reasons.waiting.cause.value}: {plain(_described(reasons.waiting))}"
    else:
        yield "it is being worked on"
    counts = [f"{reasons.working} worked on", *(f"{number} {cause}" for cause, number in reasons.causes.items())]
    yield f"open files: {', '.join(counts)}"
    for file in reasons.files:
        text = "worked on" if file.waiting is None else _described(file.waiting)
        yield f"  {file.file_number:>5}  {plain(file.name)}  {plain(text)}"
    hidden = reasons.working + sum(reasons.causes.values()) - len(reasons.files)
    if hidden > 0:
        yield f"  and {hidden} more"


def _described(wait: PresentWait) -> str:
    since = f", since {_time(wait.since)}" if wait.since else ""
    attempt = f", attempt {wait.attempt} of {wait.attempts}" if wait.attempt and wait.attempts else ""
    until = f", next at {_time(wait.until)}" if wait.until else ""
    return f"{wait.text}{since}{attempt}{until}"


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ")
