"""``docfleet verify``: what it prints, and its exit codes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from docfleet.cli.main import main

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CLEAN = {
    **{"execution_id": ID, "status": "COMPLETED", "destination": "DATABASE", "clean": True},
    **{"expected": 3, "delivered_once": 3, "doubled": 0, "missing": 0, "changed": 0, "unreadable": 0, "unexpected": 0},
    **{"replaced": 0, "error_rows": 1, "not_compared": 0, "findings": [], "more_findings": 0},
}
FINDING = {"kind": "missing", "file_execution_id": "f", "file": "a\x1b[2J.pdf", "detail": "no row"}
DAMAGED = {**CLEAN, "clean": False, "missing": 1, "delivered_once": 2, "findings": [FINDING], "more_findings": 7}
PROBLEM = {"code": "conflict", "detail": "the execution is EXECUTING"}
Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Iterator[Verify]:
    """Run the command against a server that gives one answer."""
    given: dict[str, Any] = {}

    class Backend(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == f"/api/v1/executions/{ID}/verify"
            body = json.dumps(given["answer"]).encode()
            self.send_response(given["status"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Backend)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def run(answer: Any, *options: str, status: int = 200, execution: str = ID) -> tuple[int, str, str]:
        given.update(answer=answer, status=status)
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(SystemExit) as ended:
            main(["verify", execution, "--url", url, "--key", "k", *options])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    yield run
    server.shutdown()
    thread.join()
    server.server_close()


def test_clean_is_0(verify: Verify) -> None:
    code, out, _ = verify(CLEAN)
    assert code == 0 and out.splitlines()[-1] == "clean"
    assert "error rows" in out and "unexpected" not in out


def test_not_clean_is_1_with_a_line_a_finding(verify: Verify) -> None:
    code, out, _ = verify(DAMAGED)
    assert code == 1
    assert out.splitlines()[-3:] == ["missing     a\\x1b[2J.pdf: no row", "and 7 more", "not clean"]


@pytest.mark.parametrize(("answer", "code"), [(CLEAN, 0), (DAMAGED, 1)])
def test_json_is_the_answer(verify: Verify, answer: Any, code: int) -> None:
    found, out, _ = verify(answer, "--json")
    assert (found, json.loads(out)) == (code, answer)


def test_what_cannot_be_verified_is_1_and_wrong_usage_2(verify: Verify) -> None:
    code, _, err = verify(PROBLEM, status=409)
    assert (code, "EXECUTING" in err) == (1, True)
    code, _, err = verify(CLEAN, "--nonsense")
    assert code == 2
