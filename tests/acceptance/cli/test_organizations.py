"""``docfleet organizations set`` and ``show`` against a running system."""

from __future__ import annotations

import json
import subprocess
import uuid

from tests.acceptance.fleet import DOCFLEET, Fleet, plain_environment


def docfleet(fleet: Fleet, *arguments: str, fails: int = 0) -> str:
    done = subprocess.run(
        [*DOCFLEET, *arguments, "--data", str(fleet.data)],
        capture_output=True,
        text=True,
        env=plain_environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == fails, done.stderr + done.stdout
    return done.stderr if fails else done.stdout


def test_quotas_are_set_and_shown(fleet: Fleet) -> None:
    acme = f"acme-{uuid.uuid4().hex[:8]}"
    docfleet(fleet, "organizations", "create", acme)
    told = docfleet(fleet, "organizations", "set", acme, "MAX_FILES_PER_DAY=5", "MAX_CONCURRENT_EXECUTIONS=1")
    assert [line.split() for line in told.splitlines()] == [
        ["MAX_CONCURRENT_EXECUTIONS", "1", "set"],
        ["MAX_FILES_PER_DAY", "5", "set"],
    ]
    shown = docfleet(fleet, "organizations", "show", acme)
    assert "files today       0 of 5, 5 left until 20" in shown and "pages today       0, no limit" in shown
    assert "open executions   0 of 1, 1 left\n" in shown
    described = json.loads(docfleet(fleet, "organizations", "show", acme, "--json"))
    assert {row["key"]: row["value"] for row in described["settings"]}["MAX_FILES_PER_DAY"] == 5

    told = docfleet(fleet, "organizations", "set", acme, "MAX_FILES_PER_DAY=default", "MAX_PAGES_PER_DAY=0")
    assert [line.split() for line in told.splitlines()] == [
        ["MAX_FILES_PER_DAY", "0", "default"],
        ["MAX_PAGES_PER_DAY", "0", "set"],
    ]
    assert "files today       0, no limit" in docfleet(fleet, "organizations", "show", "--organization", acme)


def test_what_is_wrong_is_named(fleet: Fleet) -> None:
    assert "docfleet organizations create" in docfleet(
        fleet, "organizations", "set", "nobody", "MAX_FILES_PER_DAY=5", fails=1
    )
    assert "MAX_PAGES_PER_DAY" in docfleet(fleet, "organizations", "set", "default", "MAX_PAGES=5", fails=1)
    for wrong in ("MAX_FILES_PER_DAY", "MAX_FILES_PER_DAY=", "MAX_FILES_PER_DAY=many"):
        assert wrong in docfleet(fleet, "organizations", "set", "default", wrong, fails=2)
    assert "0 to" in docfleet(fleet, "organizations", "set", "default", "MAX_FILES_PER_DAY=-1", fails=1)
