"""Which errors are the machine's, by their number and by what stands behind them."""

from __future__ import annotations

import errno
import os

import pytest

from docfleet.core.errors import (
    DependencyError,
    DestinationUnavailable,
    MachineTrouble,
    ResourceExhausted,
    SourceUnreadable,
    StorageFailed,
    StorageFull,
    ToolKilled,
)
from docfleet.core.machine import machine_trouble


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/some/path/of/ours")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EMFILE, ResourceExhausted),
        (errno.ENFILE, ResourceExhausted),
        (errno.ENOMEM, ResourceExhausted),
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, StorageFailed),
        (errno.EROFS, StorageFailed),
    ],
)
def test_the_number_of_an_error_names_what_the_machine_lacks(number: int, kind: type[MachineTrouble]) -> None:
    found = machine_trouble(error(number))
    assert type(found) is kind
    assert len(found.message) > 30 and "/some/path" not in found.message


@pytest.mark.parametrize(
    "number", [errno.ENOENT, errno.EACCES, errno.EAGAIN, errno.ENAMETOOLONG, errno.EISDIR, errno.ECONNREFUSED]
)
def test_other_errors_are_not_the_machines(number: int) -> None:
    assert machine_trouble(error(number)) is None


def test_no_process_left_is_an_error_of_a_fork_only() -> None:
    assert isinstance(machine_trouble(error(errno.EAGAIN), forking=True), ResourceExhausted)
    assert isinstance(machine_trouble(RuntimeError("can't start new thread")), ResourceExhausted)
    assert machine_trouble(RuntimeError("something else")) is None


def behind(cause: BaseException, outer: BaseException) -> BaseException:
    try:
        try:
            raise cause
        except BaseException as inner:
            raise outer from inner
    except BaseException as caught:
        return caught


def test_a_shortage_is_found_behind_another_error() -> None:
    found = machine_trouble(behind(error(errno.EMFILE), SourceUnreadable("the source cannot be read")))
    assert isinstance(found, ResourceExhausted)
    assert isinstance(machine_trouble(behind(error(errno.EMFILE), ConnectionError("pool"))), ResourceExhausted)


def test_a_full_disk_behind_another_error_is_not_ours() -> None:
    assert machine_trouble(behind(error(errno.ENOSPC), DestinationUnavailable("full"))) is None


def test_causes_in_a_circle_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert machine_trouble(first) is None


def test_the_machines_trouble_sends_a_file_back() -> None:
    for kind in (MachineTrouble, StorageFull, StorageFailed, ResourceExhausted, ToolKilled):
        assert issubclass(kind, DependencyError) and kind.retryable
    trouble = StorageFull("full")
    assert machine_trouble(trouble) is trouble
