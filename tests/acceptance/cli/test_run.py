"""The command a user types, on real processes: `docfleet run` and `docfleet dev`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until

SECONDS = 90
DOCFLEET = (sys.executable, "-P", "-m", "docfleet.cli.main")
KEYS = [
    *("execution_id", "status", "total_files", "successful_files", "failed_files", "skipped_files"),
    *("duration_s", "files", "destination"),
]


class Place:
    """A workflow on a folder of files, and a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "in"
        self.source.mkdir()
        self.data = folder / "data"
        self.environment = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL",)}
        self.workflow = folder / "texts.yaml"
        self.write("text_extractor")

    def write(self, tool: str) -> None:
        self.workflow.write_text(
            textwrap.dedent(f"""
                workflow: {{name: texts}}
                source: {{connector: local, settings: {{path: ./in}}}}
                tools: [{{tool: {tool}}}]
                destination: {{connector: sqlite, settings: {{path: ./out/texts.db}}, table: texts}}
            """)
        )

    def command(self, *options: str) -> list[str]:
        return [*DOCFLEET, "run", str(self.workflow), "--data", str(self.data), *options]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*options), capture_output=True, text=True, timeout=SECONDS, env=self.environment, check=False
        )
        assert processes(self.data) == [], "a process was left behind"
        return done

    def rows(self) -> list[tuple[str, str]]:
        with sqlite3.connect(self.folder / "out" / "texts.db") as database:
            found = database.execute("SELECT file_path, status FROM texts ORDER BY file_path").fetchall()
        database.close()
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Place]:
    """A place whose tool takes a minute for each file."""
    place = Place(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tmp_path / "sleeper.py"
    program.write_text(
        textwrap.dedent("""
            import json, sys, time
            what = sys.argv[sys.argv.index("--command") + 1]
            if what == "RUN":
                time.sleep(60)
            said = "<svg/>" if what == "ICON" else json.dumps({"toolVersion": "1"} if what == "PROPERTIES" else {})
            print(json.dumps({"type": what, what.lower(): said}))
        """)
    )
    (tools / "sleeper.yaml").write_text(json.dumps({"tool_id": "sleeper", "command": [sys.executable, str(program)]}))
    place.write("sleeper")
    for number in range(4):
        (place.source / f"{number}.txt").write_text(f"number {number}")
    place.environment["TOOL_REGISTRY_CONFIG_PATH"] = str(tools)
    yield place
    for pid in processes(tmp_path):
        os.kill(pid, signal.SIGKILL)


def processes(folder: Path) -> list[int]:
    """Every living process that names ``folder`` in its command line or environment."""
    found, name = [], os.fsencode(folder)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if name in (entry / "cmdline").read_bytes() or name in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_1_every_file_succeeds(place: Place) -> None:
    (place.source / "one.txt").write_text("The first text.")
    (place.source / "zwei ü.txt").write_text("The second text.")
    done = place.run("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == KEYS
    assert (found["status"], found["total_files"], found["successful_files"]) == ("COMPLETED", 2, 2)
    assert sorted(file["name"] for file in found["files"]) == ["one.txt", "zwei ü.txt"]
    assert {(file["status"], file["error"]) for file in found["files"]} == {("COMPLETED", None)}
    assert found["destination"]["table"] == "texts"
    assert place.rows() == [("one.txt", "SUCCESS"), ("zwei ü.txt", "SUCCESS")]


def test_2_the_same_folder_again_is_skipped_and_the_summary_says_so(place: Place) -> None:
    done = place.run()
    assert done.returncode == 0, done.stderr
    assert "2 already processed in an earlier run" in done.stdout
    assert "every file of the source was skipped" in done.stdout
    assert len(place.rows()) == 2


def test_3_one_bad_file_is_partial_and_costs_only_itself(place: Place) -> None:
    (place.source / "empty.txt").write_bytes(b"")
    (place.source / "three.txt").write_text("The third text.")
    done = place.run()
    assert done.returncode == 3, done.stderr
    assert "2 files: 1 successful, 1 failed, 2 skipped" in done.stdout
    assert "empty.txt" in done.stdout
    assert "empty" in done.stdout.split("Failed files")[1]
    assert "three.txt" in done.stdout.split("Rows:")[1]


def test_4_a_source_that_does_not_exist_is_a_failure_with_its_path(place: Place, tmp_path: Path) -> None:
    done = place.run("--source", str(tmp_path / "nowhere"))
    assert done.returncode == 1, done.stdout
    assert str(tmp_path / "nowhere") in "".join(done.stdout.split("\n"))


def running(place: Place) -> subprocess.Popen[str]:
    """`docfleet run` on the slow tool, once the first tool process sleeps."""
    process = subprocess.Popen(
        place.command("--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment,
        start_new_session=True,
    )

    def a_tool_runs() -> list[int]:
        assert process.poll() is None, process.stderr and process.stderr.read()
        return sleepers(place)

    until(a_tool_runs, SECONDS)
    return process


def sleepers(place: Place) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if os.fsencode(place.folder / "sleeper.py") in line and b"RUN" in line:
            found.append(int(entry.name))
    return found


def test_what_is_over_the_quota_of_the_day_is_named_and_a_run_without_room_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.environment["MAX_FILES_PER_DAY"] = "2"
    for number in range(3):
        (place.source / f"{number}.txt").write_text(f"number {number}")
    done = place.run("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["successful_files"], found["skipped_files"], found["skipped"]) == (2, 1, {"over_quota": 1})
    done = place.run()
    assert done.returncode == 1
    assert "quota exceeded" in done.stderr and "MAX_FILES_PER_DAY" in done.stderr
    del place.environment["MAX_FILES_PER_DAY"]
    done = place.run()
    assert done.returncode == 0 and len(place.rows()) == 3, "a later run takes what was left out"


def test_kill_9_leaves_nothing_and_the_next_run_works_until_ctrl_c(slow: Place) -> None:
    process = running(slow)
    process.kill()
    process.communicate()
    until(lambda: not processes(slow.folder) and not sleepers(slow), 30)

    process = running(slow)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert "stopped 1 execution of this workflow" in err
    found = json.loads(out)
    assert (found["status"], found["total_files"], found["skipped_files"]) == ("STOPPED", 4, 0)
    assert processes(slow.folder) == []
    assert sleepers(slow) == []


def test_dev_serves_until_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*DOCFLEET, "dev", "--json", "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    found = json.loads(line)
    request = urllib.request.Request(
        f"{found['url']}/api/v1/workflows",
        headers={"Authorization": f"Bearer {found['key']}", "X-Organization-ID": found["organization"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
    second = subprocess.run(
        [*DOCFLEET, "dev", "--data", str(tmp_path / "data")], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f"in use by process {process.pid} (docfleet dev" in second.stderr
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert processes(tmp_path) == []
