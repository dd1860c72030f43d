"""Mutation proof: ``make mutants``.

It applies each edit to a copy of the tree that comes first on PYTHONPATH, and runs the test. The same test has to pass
on the unchanged tree: one that fails anyway proves nothing. ``python -m tests.faults.mutations NAME ...`` runs some.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.fault_run import MOVED
from tests.faults.mutations import MUTANTS
from tests.faults.mutations.mutant import Edit, Mutant
from tests.repository import REPOSITORY

MEMBERS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["workspace"]["members"]
SOURCES = ("src", *(f"{member}/src" for member in MEMBERS))
TIMEOUT_SECONDS = 700.0
"""More than the time limit of a test."""


def tree(edits: tuple[Edit, ...], folder: Path) -> str:
    """A copy of the sources with these edits; the PYTHONPATH that puts it first."""
    for source in SOURCES:
        shutil.copytree(REPOSITORY / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        path = folder / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise SystemExit(f"{edit.file} holds {text.count(edit.old)} times, not once:\n{edit.old}")
        path.write_text(text.replace(edit.old, edit.new))
    return os.pathsep.join(str(folder / source) for source in SOURCES)


def outcome(test: str, edits: tuple[Edit, ...]) -> str:
    """What becomes of a test on a tree with these edits: ``passed``, ``failed``, or ``broken`` where it proves
    nothing, because it was skipped, not found, or never began."""
    with tempfile.TemporaryDirectory(prefix="docfleet-mutant-") as name:
        report = Path(name) / "report.xml"
        # Celery itself refuses pickle where it runs as root: the guard is to be ours, whoever runs it.
        more = {"DOCFLEET_FAULT_SUITE": "full", "C_FORCE_ROOT": "1"}
        environment = {**os.environ, "PYTHONPATH": tree(edits, Path(name) / "tree"), **more}
        command = [sys.executable, "-P", "-m", "pytest", "-x", f"--junitxml={report}", test]
        with (Path(name) / "output").open("wb") as output:
            process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)
            try:
                process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
                return "broken: it did not end"
        if not report.exists():
            return "broken: " + (Path(name) / "output").read_text(errors="replace")[-300:]
        cases = list(ElementTree.parse(report).iter("testcase"))
        if not cases or any(case.find("skipped") is not None for case in cases):
            return "broken: it did not run"
        if any(case.find("failure") is not None for case in cases):
            return "failed"
        errors = [case.find("error") for case in cases if case.find("error") is not None]
        # What moved after the end is seen when the module's world goes.
        if any(MOVED in (error.get("message") or "") + (error.text or "") for error in errors if error is not None):
            return "failed"
        return "broken: it never began" if errors else "passed"


def prove(test: str, guards: list[Mutant]) -> int:
    """Print a line for each of the guards that this test holds; how many are proven."""
    with_guard = outcome(test, ())
    proven = 0
    for each in guards:
        started = time.monotonic()
        without = outcome(test, each.edits)
        good = (with_guard, without) == ("passed", "failed")
        proven += good
        seconds = time.monotonic() - started
        mark = "" if good else "  NOT PROVEN"
        print(f"{each.guard:50} {with_guard:8} {without:8} {seconds:4.0f}  {test}{mark}", flush=True)
    return proven


def main(names: list[str]) -> int:
    """Print the table guard, test, with it, without it. 0 when every test passes with its guard and fails without.

    ``MUTANT_JOBS`` tests run side by side: most of them wait for a lease or a deadline.
    """
    chosen = [each for each in MUTANTS if not names or any(name.lower() in each.guard.lower() for name in names)]
    if not chosen:
        raise SystemExit(f"no guard has {' or '.join(names)} in its name")
    guards: dict[str, list[Mutant]] = {}
    for each in chosen:
        guards.setdefault(each.test, []).append(each)
    print(f"{'guard':50} {'with':8} {'without':8} {'s':>4}  test", flush=True)
    with ThreadPoolExecutor(int(os.environ.get("MUTANT_JOBS", "1"))) as pool:
        proven = sum(pool.map(prove, guards, guards.values()))
    print(f"{proven} of {len(chosen)} guards proven")
    return 0 if proven == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
