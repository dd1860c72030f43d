"""``docfleet evaluate`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.fleet import DOCFLEET, fill, plain_environment

WORKFLOW = """
workflow: {name: evaluated}
source: {connector: local, settings: {path: ./in}}
tools:
- tool: field_extractor
  settings: {preset: none, use_packaged_templates: false, fields: [FIELDS]}
destination: {connector: sqlite, settings: {path: ./out.db}, table: t}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "in", {"a.txt": "Number: A-1\nTotal: 12.50\n", "b.txt": "Number: B-2\nTotal: 7.00\n"})
    fill(tmp_path / "labels", {"a.json": '{"number": "A-1", "total": 12.5}', "b.json": '{"number": "B-2", "total": 8}'})
    fields = "{name: number, type: text, labels: [Number]}, {name: total, type: amount, labels: [Total]}"
    (tmp_path / "w.yaml").write_text(WORKFLOW.replace("FIELDS", fields))
    (tmp_path / "fewer.yaml").write_text(WORKFLOW.replace("FIELDS", fields.partition(", {")[0]))
    return tmp_path


def evaluate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*DOCFLEET, "evaluate", "w.yaml", "--labels", "labels", *arguments]
    return subprocess.run(command, cwd=folder, env=plain_environment(), capture_output=True, text=True, timeout=180)


def test_results_are_scored_and_go_nowhere_else(folder: Path) -> None:
    done = evaluate(folder, "--json", "--html", "page.html", "--report", "report.json", "--at-least", "0.7")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads((folder / "report.json").read_text())
    assert report["total"]["f1"] == 0.75 and report["fields"]["number"]["f1"] == 1.0
    assert report["total"]["cpu_seconds"] > 0 and report["total"]["grounded"] == 1.0
    assert report["documents"][0]["mismatches"] == [{"pointer": "/total", "expected": 8, "found": 7.0}]
    assert "b.txt" in (folder / "page.html").read_text()
    assert not (folder / "out.db").exists()
    assert list((folder / ".docfleet" / "evaluations").iterdir()) == []


def test_it_compares_with_another_workflow_and_fails_below_the_bar(folder: Path) -> None:
    done = evaluate(folder, "--against", "fewer.yaml", "--at-least", "0.9")
    assert done.returncode == 3, done.stderr
    assert "F1 is 0.7500, less than 0.9" in done.stderr
    assert "F1 75.0% (+8.3)" in done.stdout


def test_an_api_is_evaluated_on_a_folder(folder: Path) -> None:
    tools = (folder / "w.yaml").read_text().partition("tools:")[2].partition("destination:")[0]
    (folder / "w.yaml").write_text(f"workflow: {{name: evaluated}}\napi: {{name: evaluated}}\ntools:{tools}")
    refused = evaluate(folder)
    assert refused.returncode == 1 and "--source" in refused.stderr
    done = evaluate(folder, "--source", "in", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["total"]["f1"] == 0.75
