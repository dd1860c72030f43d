"""The supervisor and its lifeline, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docfleet.cli.embedded import supervisor as module
from docfleet.cli.embedded.supervisor import ChildFailed, ChildSpec, Interrupted, Supervisor
from docfleet.core.errors import ConfigurationError
from tests.waiting import until


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def fleet(tmp_path: Path, lines: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", lines.append)
    yield supervisor
    supervisor.kill()
    supervisor.stop()


def child(
    name: str, code: str, *, ready: Callable[[], bool] = lambda: True, order: int = 0, grace: float = 5.0
) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-I", "-c", textwrap.dedent(code)), os.environ, ready, order, grace)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def sleeper(marker: Path) -> str:
    """Says on SIGTERM that it was asked; made ready by the marker."""
    return f"""
        import pathlib, signal, sys, time
        here = pathlib.Path({str(marker)!r})
        def end(*_):
            with (here.parent / "order").open("a") as log: log.write(here.name + "\\n")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        here.touch()
        time.sleep(60)
    """


def test_children_are_stopped_in_their_order(fleet: Supervisor, tmp_path: Path) -> None:
    for name, order in (("broker", 2), ("server", 1), ("worker", 0)):
        fleet.start(child(name, sleeper(tmp_path / name), ready=(tmp_path / name).exists, order=order))
    fleet.wait_ready(["broker", "server", "worker"], 10, lambda: False)
    pids = fleet.pids()
    assert set(pids) == {"broker", "server", "worker"}
    assert all(os.getpgid(pid) == pid for pid in pids.values()), "a terminal's Ctrl-C must not reach them"
    fleet.stop()
    assert (tmp_path / "order").read_text().split() == ["worker", "server", "broker"]
    assert not any(alive(pid) for pid in pids.values())
    assert fleet.pids() == {}


def test_one_that_ignores_sigterm_is_killed_with_its_group(fleet: Supervisor, tmp_path: Path) -> None:
    code = f"""
        import pathlib, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        pathlib.Path({str(tmp_path / "pid.part")!r}).write_text(str(grandchild.pid))
        pathlib.Path({str(tmp_path / "pid.part")!r}).rename({str(tmp_path / "pid")!r})
        time.sleep(60)
    """
    fleet.start(child("deaf", code, ready=(tmp_path / "pid").exists, grace=0.2))
    fleet.wait_ready(["deaf"], 10, lambda: False)
    grandchild = int((tmp_path / "pid").read_text())
    fleet.stop()
    until(lambda: not alive(grandchild), 10)


def test_a_dead_child_is_started_again(fleet: Supervisor, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.01,))
    fleet.start(child("worker", "import time; time.sleep(60)"))
    first = fleet.pids()["worker"]
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        fleet.check()
        return fleet.pids().get("worker", first) != first

    until(again, 10)
    assert len(lines) == 1
    assert "worker died (SIGKILL); starting it again" in lines[0]


def test_one_that_never_starts_is_given_up_quickly(fleet: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.01,))
    fleet.start(child("backend", "import no_such_module", ready=lambda: False))
    with pytest.raises(ChildFailed, match=r"backend does not start \(exit code 1\)(.|\n)*ModuleNotFoundError"):
        fleet.wait_ready(["backend"], 10, lambda: False)


def test_a_crash_loop_ends_with_the_last_log_lines(
    fleet: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.01,))
    marker = tmp_path / "ready"
    code = f"""
        import pathlib, sys, time
        if not pathlib.Path({str(marker)!r}).exists():
            pathlib.Path({str(marker)!r}).touch(); time.sleep(60)
        sys.exit("the disk is full")
    """
    fleet.start(child("worker", code, ready=marker.exists))
    fleet.wait_ready(["worker"], 10, lambda: False)
    os.kill(fleet.pids()["worker"], signal.SIGKILL)

    def crash() -> bool:
        fleet.check()
        return False

    with pytest.raises(ChildFailed, match=r"worker died 5 times in 60 s \(last: exit code 1\)(.|\n)*the disk is full"):
        until(crash, 10)


def test_refused_settings_are_not_tried_again(fleet: Supervisor) -> None:
    code = "import sys; print('setting X is missing'); sys.exit(2)"
    fleet.start(child("backend", code, ready=lambda: False))
    with pytest.raises(ConfigurationError, match=r"backend refused its settings(.|\n)*setting X is missing"):
        fleet.wait_ready(["backend"], 10, lambda: False)


def test_waiting_ends_when_it_takes_too_long_or_the_user_is_tired(fleet: Supervisor) -> None:
    fleet.start(child("slow", "import time; print('loading', flush=True); time.sleep(60)", ready=lambda: False))
    with pytest.raises(ChildFailed, match="not ready after 0 s: slow"):
        fleet.wait_ready(["slow"], 0.2, lambda: False)
    with pytest.raises(Interrupted):
        fleet.wait_ready(["slow"], 10, lambda: True)


def test_a_program_that_does_not_exist(fleet: Supervisor) -> None:
    with pytest.raises(ChildFailed, match="ghost cannot be started"):
        fleet.start(ChildSpec("ghost", ("/no/such/program",), {}, lambda: True))


def test_a_killed_lifeline_is_replaced_and_takes_over(fleet: Supervisor, tmp_path: Path) -> None:
    fleet.start(child("worker", "import time; time.sleep(60)"))
    before = fleet._lifeline._process
    before.kill()
    before.wait()
    fleet.check()
    assert fleet._lifeline.alive
    assert fleet._lifeline._process.pid != before.pid


@pytest.mark.parametrize("gentle", [True, False])
def test_nothing_survives_a_killed_supervisor(tmp_path: Path, gentle: bool) -> None:
    """kill -9 of the supervisor ends a child, the child's child, and lets a gentle one tidy up first."""
    grandchild = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child_code = textwrap.dedent(f"""
        import pathlib, signal, subprocess, sys, time
        def end(*_):
            pathlib.Path({str(tmp_path / "tidy")!r}).touch(); sys.exit()
        signal.signal(signal.SIGTERM, end)
        subprocess.Popen([sys.executable, "-I", "-c", {grandchild!r}])
        time.sleep(60)
    """)
    code = textwrap.dedent(f"""
        import os, sys, time
        from pathlib import Path
        from docfleet.cli.embedded.supervisor import ChildSpec, Supervisor
        fleet = Supervisor(Path({str(tmp_path)!r}), print)
        command = (sys.executable, "-I", "-c", {child_code!r})
        fleet.start(ChildSpec("c", command, os.environ, lambda: True, dies_with_supervisor={not gentle}))
        print(fleet.pids()["c"], flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        until(lambda: len(members(group)) == 2, 10)
        process.kill()
    until(lambda: not members(group), 30)
    assert (tmp_path / "tidy").exists() is gentle


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group and alive(int(entry.name)):
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found
