"""Fault points: what arms them, what they do, how processes count together."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from docfleet.core import faults
from docfleet.core.errors import ConfigurationError
from docfleet.core.faults import ArmedFaults, Fault, InjectedFault

REACH = """
import sys
from docfleet.core.faults import point
for number in range(int(sys.argv[1])):
    point("delivery.written", f"{number}.txt")
print("alive")
"""


def reach(times: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process that reaches a point ``times`` times."""
    return subprocess.run(
        [sys.executable, "-P", "-c", REACH, str(times)],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
        start_new_session=True,
    )


def actions(folder: Path) -> list[str]:
    # A marker is empty for a moment: the process makes it, then writes.
    texts = [path.read_text() for path in folder.glob("delivery.written.*")]
    return sorted(text.split()[1] for text in texts if text)


def test_unarmed_points_do_nothing() -> None:
    assert faults._armed is None and not faults.is_armed()
    faults.point("delivery.written", "a.txt")


def test_what_is_written_is_what_is_armed() -> None:
    text = "# generation 7\ndelivery.written=kill@2; tool.running(a b.pdf)=kill;\nreport.before=sleep:0.5"
    assert faults.parse(text) == [
        Fault(point="delivery.written", action="kill", first=2, last=2),
        Fault(point="tool.running", action="kill", subject="a b.pdf"),
        Fault(point="report.before", action="sleep", seconds=0.5),
    ]


@pytest.mark.parametrize("text", ["delivery", "delivery.written=explode", "a.b=kill@0", "a.b=sleep:x", "a.b=kill@1x"])
def test_a_misspelt_fault_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="malformed"):
        faults.parse(text)


def test_the_turn_is_met_once() -> None:
    armed = ArmedFaults("report.before=raise@2")
    armed.reach("report.before", "")
    armed.reach("report.sent", "")
    with pytest.raises(InjectedFault):
        armed.reach("report.before", "")
    armed.reach("report.before", "")


def test_a_range_of_turns_is_met() -> None:
    armed = ArmedFaults("report.before=raise@2-3")
    met = []
    for hit in range(1, 6):
        try:
            armed.reach("report.before", "")
        except InjectedFault:
            met.append(hit)
    assert met == [2, 3]


def test_only_the_subject_is_met() -> None:
    armed = ArmedFaults("tool.running(bad.txt)=raise")
    armed.reach("tool.running", "good.txt")
    for _ in range(2):
        with pytest.raises(InjectedFault):
            armed.reach("tool.running", "bad.txt")


def test_a_process_is_armed_by_its_environment() -> None:
    assert reach(3).stdout == "alive\n"
    assert reach(1, DOCFLEET_FAULTS="delivery.written=kill@2").stdout == "alive\n"
    assert reach(2, DOCFLEET_FAULTS="delivery.written=kill@2").returncode == -9
    assert reach(2, DOCFLEET_FAULTS="delivery.written=kill_group").returncode == -9
    assert reach(2, DOCFLEET_FAULTS="delivery.written=exit").returncode == 70


def test_processes_count_together(tmp_path: Path) -> None:
    environment = {"DOCFLEET_FAULTS": "delivery.written=kill@4", "DOCFLEET_FAULTS_FOLDER": str(tmp_path)}
    assert [reach(2, **environment).returncode for _ in range(3)] == [0, -9, 0]
    assert actions(tmp_path) == ["-", "-", "-", "-", "-", "kill"]


def test_running_processes_are_armed_and_disarmed_by_a_file(tmp_path: Path) -> None:
    armed = ArmedFaults("", tmp_path)
    armed.reach("delivery.written", "")
    (tmp_path / "armed").write_text("# 1\ndelivery.written=raise@1")
    with pytest.raises(InjectedFault):
        armed.reach("delivery.written", "")
    armed.reach("delivery.written", "")
    (tmp_path / "armed").write_text("# 2\ndelivery.written=raise@1")
    with pytest.raises(InjectedFault):
        armed.reach("delivery.written", "")
    (tmp_path / "armed").unlink()
    armed.reach("delivery.written", "")


def test_a_hold_ends_when_it_is_disarmed(tmp_path: Path) -> None:
    (tmp_path / "armed").write_text("delivery.written=hold")
    armed = ArmedFaults("", tmp_path)
    thread = threading.Thread(target=armed.reach, args=("delivery.written", ""))
    thread.start()
    while not actions(tmp_path):
        time.sleep(0.005)
    thread.join(0.1)
    assert thread.is_alive()
    (tmp_path / "armed").unlink()
    thread.join(5)
    assert not thread.is_alive()
