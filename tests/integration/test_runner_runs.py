"""The runner as a real process over HTTP, with tools that do their worst. Every run here is a real process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from docfleet.runner.run_marks import MAX_DEATHS

HERE = Path(__file__).parent / "runner_probe"
KEY = "test-key-" + "k" * 40
MEGABYTE = 1024**2
SERVE = (
    "from docfleet.runner.app import serve; from docfleet.runner.settings import runner_settings; "
    "serve(runner_settings())"
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine is tested on Linux")


def eventually(condition: Callable[[], bool], within: float = 60.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def tree(pid: int) -> list[int]:
    found, pending = [], [pid]
    while pending:
        current = pending.pop()
        try:
            listing = [Path(f"/proc/{current}/task/{task}/children") for task in os.listdir(f"/proc/{current}/task")]
            children = [int(child) for path in listing for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += children
        pending += children
    return found


class Runner:
    """A runner process of its own, its storage, and a client."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.storage = folder / "storage"
        self.work = folder / "work"
        for path in (self.storage, self.work, folder / "registry"):
            path.mkdir(exist_ok=True)
        write_registry(folder / "registry")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.environment = {
            "PATH": os.environ["PATH"],
            # A changed copy of the tree comes first.
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE)))),
            "RUNNER_API_KEY": KEY,
            "RUNNER_PORT": str(port),
            "RUNNER_WORK_DIR": str(self.work),
            "EXECUTION_STORAGE_ROOT": str(self.storage),
            "TOOL_REGISTRY_CONFIG_PATH": str(folder / "registry"),
            "DATABASE_URL": "postgresql://user:database-secret@host/db",
            "AWS_SECRET_ACCESS_KEY": "cloud-secret",
            **settings,
        }
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {KEY}"
        self._count = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", SERVE], env=self.environment)
        assert eventually(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return self.session.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def close(self) -> None:
        self.session.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def folder(self, content: bytes = b"hello", steps: int = 0) -> str:
        self._count += 1
        name = f"org/workflow/execution-{os.getpid()}/file-{self._count}"
        path = self.storage / name
        path.mkdir(parents=True)
        (path / "SOURCE").write_bytes(content)
        (path / "INFILE").write_bytes(content)
        done = [{"tool_name": f"t{n}", "elapsed_time": 1.0, "output_type": "JSON"} for n in range(steps)]
        metadata = {
            "source_name": "a 'b'\n\"c\".txt", "organization_id": "org-1", "tool_metadata": done,
            "total_elapsed_time": 1.0 * steps, "kept": {"by": "us"},
        }  # fmt: skip
        (path / "METADATA.json").write_bytes(json.dumps(metadata, separators=(",", ":")).encode())
        return name

    def put(self, run_id: str, folder: str, wait: float = 30, **body: Any) -> requests.Response:
        request = {"tool_id": "probe", "folder": folder, "step": 1, **body}
        return self.session.put(f"{self.url}/v1/runs/{run_id}", params={"wait": wait}, json=request, timeout=60)

    def run(self, do: str = "ok", amount: int = 0, folder: str | None = None, **body: Any) -> dict[str, Any]:
        folder = folder or self.folder()
        body = {"settings": {"do": do, "amount": amount}, **body}
        answer = self.put(f"run-{self._count}-{do}", folder, **body)
        assert answer.status_code == 200, answer.text
        state: dict[str, Any] = answer.json()
        return state

    def result(self, folder: str) -> Any:
        return json.loads((self.storage / folder / "INFILE").read_bytes())

    def untouched(self, folder: str) -> bool:
        path = self.storage / folder
        entries = json.loads((path / "METADATA.json").read_bytes())["tool_metadata"]
        names = sorted(entry.name for entry in path.iterdir())
        return entries == [] and (path / "INFILE").read_bytes() == b"hello" and names == [
            "INFILE", "METADATA.json", "SOURCE",
        ]  # fmt: skip


def write_registry(folder: Path) -> None:
    programs = HERE / "programs"
    for tool_id, descriptor in {
        "probe": {"module": "probe.tool:tool"},
        "silent": {"module": "probe.tool:silent"},
        "stamp": {"command": [str(programs / "stamp.sh")]},
        "plain": {"command": [sys.executable, str(programs / "plain.py")]},
    }.items():
        (folder / f"{tool_id}.json").write_text(json.dumps({"tool_id": tool_id, **descriptor}))


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    running = Runner(tmp_path_factory.mktemp("runner"), RUNNER_CONCURRENCY="3")
    yield running
    running.close()


@pytest.fixture
def own_runner(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    started: list[Runner] = []

    def start(**settings: str) -> Runner:
        started.append(Runner(tmp_path, **settings))
        return started[-1]

    yield start
    for running in started:
        running.close()


# -- success ---------------------------------------------------------------------------------------------------


def test_a_python_tool_publishes_its_result(runner: Runner) -> None:
    folder = runner.folder(b"four")
    state = runner.run("copy", folder=folder)
    path = runner.storage / folder
    metadata = json.loads((path / "METADATA.json").read_bytes())
    assert (state["phase"], state["exit_code"]) == ("SUCCEEDED", 0)
    assert state["tool_metadata"]["tool_name"] == "probe"
    assert state["cpu_seconds"] > 0 and state["max_rss_bytes"] > MEGABYTE
    assert state["started_at"] <= state["finished_at"]
    assert [entry["tool_name"] for entry in metadata["tool_metadata"]] == ["probe"]
    assert metadata["kept"] == {"by": "us"} and metadata["organization_id"] == "org-1"
    assert [p.relative_to(path).parts for p in path.rglob("*") if p.is_file() and "COPY_TO_FOLDER" in p.parts] == [
        ("COPY_TO_FOLDER", "a bin", "größe", "a 'b'\n\"c\".txt")
    ]
    assert sorted(p.name for p in path.iterdir()) == ["COPY_TO_FOLDER", "INFILE", "METADATA.json", "SOURCE"]
    assert eventually(lambda: not any(runner.work.glob("*/run-*")))


def test_tools_run_in_order_each_reading_the_last_output(runner: Runner) -> None:
    folder = runner.folder()
    runner.run("upper", folder=folder)
    second = runner.put("second-step", folder, step=2, settings={"do": "upper"}).json()
    assert second["phase"] == "SUCCEEDED"
    assert runner.result(folder) == {"text": '{"TEXT": "HELLO"}'}
    assert (runner.storage / folder / "SOURCE").read_bytes() == b"hello"


def test_a_shell_script_is_a_tool(runner: Runner) -> None:
    folder = runner.folder(b"paper")
    state = runner.put("stamp-1", folder, tool_id="stamp", settings={"word": "ink"}).json()
    assert state["phase"] == "SUCCEEDED", state
    assert (runner.storage / folder / "INFILE").read_text() == 'stamped with {"word":"ink"}: paper'


def test_a_program_fails_as_a_python_tool_does(runner: Runner) -> None:
    crash = runner.put("stamp-2", runner.folder(), tool_id="stamp", settings={"word": "crash"}).json()
    exit_code = runner.put("stamp-3", runner.folder(), tool_id="stamp", settings={"word": "fail"}).json()
    said = runner.put("stamp-4", runner.folder(), tool_id="stamp", settings={"word": "say"}).json()
    assert (crash["error_code"], crash["signal"]) == ("tool_crashed", signal.SIGSEGV)
    assert (exit_code["error_code"], exit_code["error"]) == ("tool_failed", "the tool failed with exit code 3: no ink")
    assert (said["error_code"], said["error"]) == ("corrupt_file", "the page is torn")


# -- failure ---------------------------------------------------------------------------------------------------

SMALL = {"wall_seconds": 20.0, "cpu_seconds": 10, "memory_bytes": 300 * MEGABYTE, "file_size_bytes": 20 * MEGABYTE}

FAILURES = [
    ("segv", 0, {}, "tool_crashed", "SIGSEGV"),
    ("abort", 0, {}, "tool_crashed", "SIGABRT"),
    ("leave", 3, {}, "tool_failed", "exit code 3: cannot read page seven"),
    ("password", 0, {}, "password_required", "the PDF is encrypted"),
    ("hang", 0, {"wall_seconds": 0.5}, "tool_timeout", "longer than 0.5 s"),
    ("spin", 0, {"cpu_seconds": 1}, "tool_timeout", "more than 1 s of CPU"),
    ("eat", 0, {}, "tool_memory_exceeded", "memory"),
    ("eat_together", 100 * MEGABYTE, {}, "tool_memory_exceeded", "300 MB of memory"),
    ("write_one", 1024, {}, "tool_output_too_large", "20 MB"),
    ("write_many", 200, {}, "tool_output_too_large", "20 MB"),
    ("write_one", 20, {"file_size_bytes": 20 * MEGABYTE}, "tool_output_too_large", "20 MB"),
    ("flood", 30, {}, "tool_output_too_large", "20 MB"),
    ("fork", 30, {"processes": 8}, "tool_failed", "more than 8 processes"),
    ("flood_then_fail", 3, {}, "password_required", "at the very end"),
    ("link", 0, {}, "tool_result_invalid", "symbolic link"),
]


@pytest.mark.parametrize(("do", "amount", "limits", "code", "words"), FAILURES)
def test_a_failing_tool_costs_only_its_own_document(
    runner: Runner, do: str, amount: int, limits: dict[str, Any], code: str, words: str
) -> None:
    folder, neighbour = runner.folder(), runner.folder()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(runner.put, f"neighbour-of-{folder[-5:].strip('/-')}-{do}", neighbour)
        state = runner.run(do, amount, folder=folder, limits={**SMALL, **limits})
        assert (state["phase"], state["error_code"]) == ("FAILED", code), state
        assert words in state["error"]
        assert runner.untouched(folder)
        assert other.result().json()["phase"] == "SUCCEEDED"
    assert eventually(lambda: not any(runner.work.glob("*/run-*")))
    zygotes = tree(runner.process.pid)
    assert eventually(lambda: all(not tree(zygote) for zygote in zygotes))


@pytest.mark.parametrize(("do", "code"), [("eat", "tool_memory_exceeded"), ("write", "tool_output_too_large")])
def test_a_program_is_held_to_the_limits(runner: Runner, do: str, code: str) -> None:
    folder = runner.folder()
    state = runner.put(f"plain-{do}", folder, tool_id="plain", settings={"do": do}, limits=SMALL).json()
    assert state["error_code"] == code, state
    assert runner.untouched(folder)


@pytest.mark.parametrize("kind", ["nothing", "no_metadata", "bad_metadata", "bad_json", "no_infile"])
def test_exit_code_0_without_a_valid_result_is_a_failure(runner: Runner, kind: str) -> None:
    folder = runner.folder()
    state = runner.put(f"silent-{kind}", folder, tool_id="silent", settings={"do": kind}).json()
    assert (state["phase"], state["error_code"], state["exit_code"]) == ("FAILED", "tool_result_invalid", 0)
    assert runner.untouched(folder)


def test_log_lines_and_garbage_decide_nothing(runner: Runner) -> None:
    assert runner.run("chatter")["phase"] == "SUCCEEDED"
    assert runner.run("flood", 3)["phase"] == "SUCCEEDED"
    assert runner.run("threads", 8)["phase"] == "SUCCEEDED"


def test_a_tool_cannot_change_whose_file_it_is(runner: Runner) -> None:
    folder = runner.folder()
    assert runner.run("rewrite", folder=folder)["phase"] == "SUCCEEDED"
    assert json.loads((runner.storage / folder / "METADATA.json").read_bytes())["organization_id"] == "org-1"
    folder = runner.folder()
    assert runner.run("truncate_source", folder=folder)["phase"] == "SUCCEEDED"
    assert (runner.storage / folder / "SOURCE").read_bytes() == b"hello"


def test_an_unreadable_folder_of_the_tool_is_removed(runner: Runner) -> None:
    assert runner.run("lock_folder")["phase"] == "SUCCEEDED"
    assert eventually(lambda: not any(runner.work.glob("*/run-*")))


# -- isolation -------------------------------------------------------------------------------------------------


def test_nothing_of_the_runner_reaches_a_tool(runner: Runner) -> None:
    folder = runner.folder()
    runner.run("environment", folder=folder)
    seen = runner.result(folder)
    everything = json.dumps(seen)
    for secret in (KEY, "database-secret", "cloud-secret"):
        assert secret not in everything
    assert set(seen["environment"]) <= {
        "PATH", "PYTHONPATH", "LANG", "HOME", "TMPDIR", "OMP_THREAD_LIMIT", "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "EXECUTION_DATA_DIR", "LC_CTYPE",
    }  # fmt: skip
    assert seen["cwd"] == seen["environment"]["EXECUTION_DATA_DIR"]
    assert seen["cwd"].startswith(seen["environment"]["HOME"])
    assert seen["stdin"] == "" and seen["session"] is True
    assert len(seen["descriptors"]) == 4  # 0, 1, 2 and the one that lists them
    assert "NoNewPrivs:\t1" in seen["status"]
    core = next(line.split() for line in seen["limits"].splitlines() if line.startswith("Max core"))
    assert core[4:6] == ["0", "0"]

    other = runner.folder()
    runner.put("plain-environment", other, tool_id="plain")
    assert set(runner.result(other)["environment"]) - {"LC_CTYPE"} <= set(seen["environment"])


@pytest.mark.parametrize("do", ["escape", "leave_child"])
def test_nothing_a_tool_started_outlives_it(runner: Runner, do: str) -> None:
    folder = runner.folder()
    assert runner.run(do, folder=folder)["phase"] == "SUCCEEDED"
    pids = runner.result(folder)["pids"]
    assert pids and not any(is_alive(pid) for pid in pids)


# -- idempotency -----------------------------------------------------------------------------------------------


def test_put_twice_is_one_process(runner: Runner) -> None:
    folder = runner.folder()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: runner.put("same", folder).json(), range(6)))
    assert len({answer["finished_at"] for answer in answers}) == 1
    assert len(json.loads((runner.storage / folder / "METADATA.json").read_bytes())["tool_metadata"]) == 1
    before = runner.result(folder)["pid"]
    assert runner.put("same", folder).json() == answers[0]
    assert runner.result(folder)["pid"] == before
    changed = runner.put("same", folder, settings={"do": "ok", "amount": 1})
    assert (changed.status_code, changed.json()["code"]) == (409, "conflict")


def test_two_ids_for_one_step_run_it_once(runner: Runner) -> None:
    folder = runner.folder()
    with ThreadPoolExecutor(2) as pool:
        states = list(pool.map(lambda name: runner.put(name, folder).json(), ["first-id", "second-id"]))
    assert [state["phase"] for state in states] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(json.loads((runner.storage / folder / "METADATA.json").read_bytes())["tool_metadata"]) == 1


def test_a_published_step_is_not_run_again_and_a_later_one_not_yet(runner: Runner) -> None:
    folder = runner.folder(steps=1)
    done = runner.put("resumed", folder, step=1).json()
    assert (done["phase"], done["tool_metadata"]["tool_name"]) == ("SUCCEEDED", "t0")
    assert done.get("started_at", 0) == 0
    early = runner.put("too-early", folder, step=3)
    assert (early.status_code, early.json()["code"]) == (409, "conflict")


def test_a_publication_that_was_cut_short_is_finished(runner: Runner) -> None:
    folder = runner.folder()
    path = runner.storage / folder
    metadata = json.loads((path / "METADATA.json").read_bytes())
    metadata["tool_metadata"] = [{"tool_name": "cut", "elapsed_time": 1.0, "output_type": "TXT"}]
    (path / ".INFILE.1").write_text("the result")
    uncommitted = runner.put("cut-0", runner.folder()).json()
    (path / ".METADATA.json.1").write_text(json.dumps(metadata))
    state = runner.put("cut-1", folder).json()
    assert uncommitted["phase"] == "SUCCEEDED"
    assert (state["phase"], state["tool_metadata"]["tool_name"]) == ("SUCCEEDED", "cut")
    assert (path / "INFILE").read_text() == "the result"
    assert sorted(p.name for p in path.iterdir()) == ["INFILE", "METADATA.json", "SOURCE"]


def test_delete_kills_and_answers_stopped(runner: Runner) -> None:
    folder = runner.folder()
    assert runner.put("stop-me", folder, wait=0, settings={"do": "hang"}).json()["phase"] == "RUNNING"
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    for _ in range(2):
        state = runner.session.delete(f"{runner.url}/v1/runs/stop-me", timeout=30).json()
        assert (state["phase"], state["error_code"]) == ("STOPPED", "tool_stopped")
    assert runner.session.get(f"{runner.url}/v1/runs/stop-me").json() == state
    assert runner.untouched(folder)


def test_a_long_poll_that_goes_away_harms_nothing(runner: Runner) -> None:
    folder = runner.folder()
    with pytest.raises(requests.exceptions.ReadTimeout):
        runner.session.put(
            f"{runner.url}/v1/runs/left?wait=60",
            json={"tool_id": "probe", "folder": folder, "step": 1, "settings": {"do": "hang"}},
            timeout=(20, 2.0),
        )
    # Who asks now does not wait for the end of the poll that went away.
    asked = lambda: runner.session.get(f"{runner.url}/v1/runs/left", params={"wait": 0.2}, timeout=30).json()  # noqa: E731
    assert eventually(lambda: asked().get("phase") == "RUNNING")
    runner.session.delete(f"{runner.url}/v1/runs/left")


# -- HTTP ------------------------------------------------------------------------------------------------------


def test_every_fault_of_a_request_is_a_problem(runner: Runner) -> None:
    folder = runner.folder()
    cases = [
        (runner.put("p1", "org/workflow/nowhere/file"), 404, "not_found"),
        (runner.put("p2", "../../etc"), 400, "unsafe_path"),
        (runner.put("p3", "/etc"), 400, "unsafe_path"),
        (runner.put("p4", folder, tool_id="nothing"), 400, "tool_unknown"),
        (runner.put("p5", folder, step=0), 400, "invalid_input"),
        (runner.put("p6", folder, settings=[]), 400, "invalid_input"),
        (runner.put("p7", folder, wait=-1), 400, "invalid_input"),
        (runner.put("p 8", folder), 400, "invalid_input"),
        (runner.session.get(f"{runner.url}/v1/runs/unknown"), 404, "not_found"),
        (runner.session.delete(f"{runner.url}/v1/runs/unknown"), 404, "not_found"),
        (runner.session.get(f"{runner.url}/nowhere"), 404, "not_found"),
        (runner.session.post(f"{runner.url}/v1/runs/x"), 405, "invalid_input"),
    ]
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["detail"]
    assert "passthrough" in cases[3][0].json()["detail"]


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer"])
def test_without_the_key_nothing_is_done(runner: Runner, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    folder = runner.folder()
    body = {"tool_id": "probe", "folder": folder, "step": 1}
    for method in ("PUT", "GET", "DELETE"):
        answer = requests.request(method, f"{runner.url}/v1/runs/no-key", json=body, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_allowed")
    assert runner.session.get(f"{runner.url}/v1/runs/no-key").status_code == 404
    assert requests.get(f"{runner.url}/livez", timeout=10).text == "ok"


# -- life and death --------------------------------------------------------------------------------------------


def test_a_killed_runner_leaves_no_process_and_its_folders_are_swept(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="3")
    for number, do in enumerate(("hang", "fork", "ok")):
        runner.put(f"doomed-{number}", runner.folder(), wait=0, settings={"do": do, "amount": 3})
    runner.put("doomed-program", runner.folder(), wait=5, tool_id="stamp")
    assert eventually(lambda: len(tree(runner.process.pid)) >= 7)
    everything = tree(runner.process.pid)
    runner.process.kill()
    runner.process.wait()
    assert eventually(lambda: not any(is_alive(pid) for pid in everything))
    left = list(runner.work.iterdir())
    assert len(left) == 1
    runner.start()
    assert not left[0].exists()


def test_a_tool_dies_even_when_runner_and_zygote_are_killed_together(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.put("orphaned", runner.folder(), wait=0, settings={"do": "hang"})
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    zygote, tool = tree(runner.process.pid)
    os.kill(runner.process.pid, signal.SIGSTOP)  # it must not get the chance to clean up
    os.kill(zygote, signal.SIGKILL)
    assert eventually(lambda: not is_alive(tool))
    runner.process.kill()


def test_a_killed_zygote_is_replaced_and_its_runs_fail_with_the_reason(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.put("lost", runner.folder(), wait=0, settings={"do": "fork", "amount": 2})
    assert eventually(lambda: len(tree(runner.process.pid)) == 4)
    zygote, *below = tree(runner.process.pid)
    os.kill(zygote, signal.SIGKILL)
    state = runner.session.get(f"{runner.url}/v1/runs/lost", params={"wait": 30}).json()
    assert (state["phase"], state["error_code"]) == ("FAILED", "runner_unavailable")
    assert "runner lost the process" in state["error"]
    assert eventually(lambda: not any(is_alive(pid) for pid in below))
    again = runner.put("lost", runner.folder(), wait=0, settings={"do": "ok"})
    assert again.status_code == 200, "a run without a verdict may be sent again under its id"
    assert runner.run("ok")["phase"] == "SUCCEEDED"


def test_a_tool_that_kills_its_zygote_takes_nobody_along_and_fails_the_second_time(
    own_runner: Callable[..., Runner],
) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="2")
    hanging = {"folder": runner.folder(), "settings": {"do": "hang"}}
    runner.put("innocent", wait=0, **hanging)
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    deadly = {"folder": runner.folder(), "settings": {"do": "kill_parent"}}
    first = runner.put("deadly", **deadly).json()
    assert (first["phase"], first["error_code"]) == ("FAILED", "runner_unavailable")
    assert runner.session.get(f"{runner.url}/v1/runs/innocent", params={"wait": 10}).json()["phase"] == "FAILED"
    runner.put("innocent", wait=0, **hanging)
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    second = runner.put("deadly", **deadly).json()
    assert (second["phase"], second["error_code"]) == ("FAILED", "tool_crashed")
    assert "twice" in second["error"]
    assert runner.session.get(f"{runner.url}/v1/runs/innocent").json()["phase"] == "RUNNING"


def test_a_run_that_runners_die_over_is_alone_and_fails_in_the_end(own_runner: Callable[..., Runner]) -> None:
    """As when a container is killed for the memory of one tool. Each attempt has a folder of its own."""
    runner = own_runner(RUNNER_CONCURRENCY="2")
    first = runner.folder()
    hanging = {"settings": {"do": "hang"}, "file_execution_id": "deadly"}

    def begun() -> list[Path]:
        return list(runner.work.glob("*/run-*/data/HANGS"))

    for death in range(MAX_DEATHS):
        folder = f"{first.rpartition('/')[0]}/attempt-{death}"
        shutil.copytree(runner.storage / first, runner.storage / folder)
        runner.put("deadly", folder, wait=0, **hanging)
        assert eventually(lambda: len(begun()) == 1)
        runner.put("beside", runner.folder(), wait=0, settings={"do": "hang"})
        if death:  # nobody runs beside it any more
            waiting = runner.session.get(f"{runner.url}/v1/runs/beside", params={"wait": 1.0}).json()
            assert waiting["phase"] == "RUNNING" and "started_at" not in waiting
        else:
            assert eventually(lambda: len(begun()) == 2)
        runner.process.kill()
        runner.process.wait()
        runner.start()
    state = runner.put("deadly", first, **hanging).json()
    assert (state["phase"], state["error_code"]) == ("FAILED", "tool_crashed")
    assert f"died {MAX_DEATHS} times" in state["error"]
    assert runner.run("ok")["phase"] == "SUCCEEDED"


def test_a_run_that_ends_leaves_no_mark(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.run("ok")
    runner.run("segv")
    runner.put("stopped", runner.folder(), wait=0, settings={"do": "hang"})
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    assert len(list(runner.storage.rglob(".begun-*"))) == 1
    runner.session.delete(f"{runner.url}/v1/runs/stopped")
    assert not list(runner.storage.rglob(".begun-*"))


def test_sigterm_lets_tools_finish_then_ends_them_and_leaves_nothing(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_GRACE_SECONDS="8", RUNNER_CONCURRENCY="1")
    runner.run("ok")
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(runner.put, "hanging", runner.folder(), settings={"do": "hang"})
        assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
        queued = pool.submit(runner.put, "queued", runner.folder())
        assert eventually(lambda: runner.session.get(f"{runner.url}/v1/runs/queued").status_code == 200)
        everything = tree(runner.process.pid)
        runner.process.terminate()
        assert eventually(lambda: runner.session.get(f"{runner.url}/readyz").status_code == 503)
        refused = runner.put("late", runner.folder())
        assert (refused.status_code, refused.json()["code"]) == (503, "runner_unavailable")
        assert queued.result().json()["error_code"] == "runner_unavailable"
        assert hanging.result().json()["error_code"] == "runner_unavailable"
    assert runner.process.wait(60) == 0
    assert not any(is_alive(pid) for pid in everything)
    assert list(runner.work.iterdir()) == []


def test_final_runs_are_forgotten(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUN_RETENTION_COUNT="2")
    for number in range(4):
        assert runner.put(f"kept-{number}", runner.folder()).json()["phase"] == "SUCCEEDED"
    status = [runner.session.get(f"{runner.url}/v1/runs/kept-{number}").status_code for number in range(4)]
    assert status == [404, 404, 200, 200]


def test_at_most_the_allowed_number_runs_at_once(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="2")
    for number in range(4):
        runner.put(f"busy-{number}", runner.folder(), wait=0, settings={"do": "hang"})
    assert eventually(lambda: len(list(runner.work.glob("*/run-*/data/HANGS"))) == 2)
    states = [runner.session.get(f"{runner.url}/v1/runs/busy-{number}").json() for number in range(4)]
    assert [state["phase"] for state in states] == ["RUNNING"] * 4
    assert [state.get("started_at", 0) > 0 for state in states] == [True, True, False, False]
    stopped = runner.session.delete(f"{runner.url}/v1/runs/busy-3").json()
    assert stopped["phase"] == "STOPPED"
    shutil.rmtree(runner.storage)
    runner.session.delete(f"{runner.url}/v1/runs/busy-0")
    gone = runner.session.get(f"{runner.url}/v1/runs/busy-2", params={"wait": 30}).json()
    assert (gone["phase"], gone["error_code"]) == ("FAILED", "not_found")
