"""Processes that a tool started are found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from docfleet.runner import processes


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_descendants_are_found() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        sleeper = int(shell.stdout.readline())
        assert set(processes.descendants(shell.pid)) == {shell.pid, sleeper}
        os.kill(sleeper, signal.SIGKILL)
    assert processes.children(shell.pid) == []
