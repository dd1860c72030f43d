"""A process of the same place has ended: certainly, or nobody says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from docfleet.core.presence import WorkerProcess
from docfleet.workers.shared.infrastructure.process import place

SLEEP = ["sleep", "60"]


def known(pid: int) -> WorkerProcess:
    start = place.started(pid)
    assert start is not None
    return WorkerProcess(node="n", pid=pid, started=start)


def test_a_place_is_one_boot_and_one_namespace_of_process_ids() -> None:
    boot, pids, _times = place.this_place().split(" ")
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert pids == os.readlink("/proc/self/ns/pid")


@pytest.mark.parametrize("mounted", ["another namespace", "nothing"])
def test_a_place_that_cannot_be_known_is_nobody_s(
    mounted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mounted == "another namespace":
        (tmp_path / "sys/kernel/random").mkdir(parents=True)
        (tmp_path / "sys/kernel/random/boot_id").write_text("boot")
        (tmp_path / "self").symlink_to(str(os.getpid() + 1))
        (tmp_path / str(os.getpid() + 1) / "ns").mkdir(parents=True)
        for name in ("pid", "time"):
            (tmp_path / "self/ns" / name).symlink_to(f"{name}:[1]")
    monkeypatch.setattr(place, "_PROC", tmp_path)
    assert place.this_place() == ""


def test_a_process_lives_until_it_has_ended() -> None:
    with subprocess.Popen(SLEEP) as process:
        seen = known(process.pid)
        assert not place.has_ended(seen)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert place.has_ended(seen), "its parent has not waited for it"
    assert place.has_ended(seen)


def test_a_number_that_was_given_again_is_another_process() -> None:
    with subprocess.Popen(SLEEP) as process:
        seen = known(process.pid)
        assert place.has_ended(WorkerProcess(node="n", pid=process.pid, started=seen.started - 1))
        process.kill()


def test_a_process_that_is_hidden_from_us_may_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(SLEEP) as process:
        seen = known(process.pid)
        monkeypatch.setattr(place, "_PROC", tmp_path)
        assert not place.has_ended(seen)
        process.kill()


def test_a_process_of_another_user_may_live(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    seen = known(os.getpid())
    monkeypatch.setattr(place.os, "kill", refuse)
    assert not place.has_ended(seen)


def test_a_process_that_stands_still_lives() -> None:
    with subprocess.Popen(SLEEP) as process:
        os.kill(process.pid, 19)
        assert not place.has_ended(known(process.pid))
        process.kill()
