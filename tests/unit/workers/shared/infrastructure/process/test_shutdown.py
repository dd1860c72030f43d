"""A child learns that its parent was asked to end."""

from __future__ import annotations

import os
import warnings

import pytest
from celery import signals

from docfleet.workers.shared.infrastructure.process import shutdown


def test_a_child_learns_that_its_parent_has_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_phase", None)
    assert not shutdown.shutting_down()
    shutdown.watch_shutdown()
    there, back = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that other tests left
        child = os.fork()
    if child == 0:
        os.read(there, 1)
        os._exit(0 if shutdown.shutting_down() else 1)
    assert not shutdown.shutting_down()
    signals.worker_shutting_down.send(sender=None, sig="SIGTERM", how="warm", exitcode=0)
    os.write(back, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(there)
    os.close(back)
    signals.worker_shutting_down.disconnect(shutdown._note_shutdown)
