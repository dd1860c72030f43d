"""Tells the machine's trouble from a document's.

A process that has no descriptor, no space or no memory left fails at whatever it does next, which is some file. That
file is not to blame: it goes back, and another attempt has it later or on another machine.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from docfleet.core.errors import MachineTrouble, ResourceExhausted, StorageFailed, StorageFull

_SHORTAGES: dict[int, str] = {
    errno.EMFILE: "the process has no file descriptor left: raise its limit (ulimit -n)",
    errno.ENFILE: "the machine has no file descriptor left: raise the kernel's limit (fs.file-max)",
    errno.ENOMEM: "the machine has no memory left: give it more, or run fewer tools and workers on it",
}
"""What a process runs out of, whatever it works on."""

_STORAGE: dict[int, tuple[type[MachineTrouble], str]] = {
    errno.ENOSPC: (StorageFull, "there is no space left to work in: free some of the disk"),
    errno.EDQUOT: (StorageFull, "there is no space left to work in: the disk quota is used up"),
    errno.EIO: (StorageFailed, "the disk reports an input/output error: check the disk"),
    errno.EROFS: (StorageFailed, "the disk is read-only, as after an error: check the disk"),
}
"""What is wrong with a disk. It is the machine's only where the process knows that the disk is its own."""

_NO_PROCESS = "the machine starts no further process: raise the limit of processes (ulimit -u, pids.max)"
_NO_THREAD = "can't start new thread"


def machine_trouble(error: BaseException, *, forking: bool = False) -> MachineTrouble | None:
    """The machine's trouble that ``error`` tells of, ready to be raised; None where it tells of none.

    An ``OSError`` itself is judged by its number, and has to come from a disk, socket or process of our own. Behind
    another error (its cause) only a shortage of the whole process counts: a full disk behind an error of a destination
    is the destination's. ``forking``: the error is that of starting a process, where EAGAIN means that there may be no
    more of them.
    """
    if isinstance(error, MachineTrouble):
        return error
    if isinstance(error, OSError) and error.errno in _STORAGE:
        kind, message = _STORAGE[error.errno]
        return kind(message)
    if forking and isinstance(error, OSError) and error.errno == errno.EAGAIN:
        return ResourceExhausted(_NO_PROCESS)
    for each in _with_causes(error):
        if isinstance(each, OSError) and each.errno in _SHORTAGES:
            return ResourceExhausted(_SHORTAGES[each.errno])
        if isinstance(each, RuntimeError) and _NO_THREAD in str(each):
            return ResourceExhausted(_NO_PROCESS)
    return None


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
