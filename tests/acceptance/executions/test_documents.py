"""Documents and tools that do their worst, end to end: each costs only itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docfleet.connectors.paths import encode_name
from tests.acceptance.fleet import SETTINGS, Fleet, Stage, fill

GOOD = {f"good-{number}.txt": f"document {number}" for number in range(6)}


def test_a_tool_that_misbehaves_costs_only_its_document(fleet: Fleet, tmp_path: Path) -> None:
    bad = {name: f"{name} now" for name in ("crash", "hang", "eat", "flood", "leave")}
    run = fleet.run(fill(tmp_path / "in", {**GOOD, **bad}), history=False)
    found = run.by_name
    assert {name: found[name].status for name in GOOD} == dict.fromkeys(GOOD, "COMPLETED")
    assert {name: found[name].status for name in bad} == dict.fromkeys(bad, "ERROR")
    assert {name: found[name].error_code for name in bad} == {
        "crash": "tool_crashed",
        "hang": "tool_timeout",
        "eat": "tool_memory_exceeded",
        "flood": "tool_output_too_large",
        "leave": "tool_result_invalid",
    }
    assert "memory it does not have" in str(found["crash"].error)
    assert f"{SETTINGS['TOOL_TIMEOUT_SECONDS']} s" in str(found["hang"].error)
    assert "memory" in str(found["eat"].error)
    assert (run.status, run.json()["failed_files"], run.result.exit_code) == ("COMPLETED", 5, 3)
    assert {row["file_path"]: row["status"] for row in run.rows()} == {
        **dict.fromkeys(GOOD, "SUCCESS"),
        **dict.fromkeys(bad, "ERROR"),
    }


def test_an_empty_a_foreign_and_a_locked_document_cost_only_themselves(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(
        tmp_path / "in", {"empty.txt": b"", "song.mp3": b"ID3\x03\x00" + bytes(500), "cut.pdf": b"%PDF-1.7\n", **GOOD}
    )
    run = fleet.run(source, "text_extractor")
    found = run.by_name
    assert {name: found[name].status for name in GOOD} == dict.fromkeys(GOOD, "COMPLETED")
    bad = {name: (found[name].error_code, found[name].error) for name in ("empty.txt", "song.mp3", "cut.pdf")}
    assert [code for code, _ in bad.values()] == ["empty_file", "unsupported_file_type", "corrupt_file"]
    assert "0 bytes" in str(bad["empty.txt"][1])
    assert "is a sound" in str(bad["song.mp3"][1])
    page = run.page()
    assert all(str(message) in page for _, message in bad.values())


NAMES: list[str | bytes] = [
    "with some spaces .txt",
    "Ümläut-日本語-🎉.txt",
    "quote'double\"back`tick.txt",
    "new\nline\ttab.txt",
    "percent%20&semi;colon$(id).txt",
    "-rf.txt",
    ("é" * 123 + ".txt"),
    b"latin-\xe9\xff.txt",
    b"literal-\\xe9\\xff.txt",
    "same.txt",
    "same.pdf.txt",
    "same",
    "sub/same.txt",
    "other/same.txt",
    "other/sub/same.txt",
]


@pytest.mark.parametrize("destination", ["database", "folder"])
def test_no_name_collides_and_none_escapes(fleet: Fleet, tmp_path: Path, destination: str) -> None:
    assert len(os.fsencode(NAMES[6])) == 250
    outside = fill(tmp_path / "outside", {"secret.txt": "secret", "sub/secret.txt": "secret"})
    source = fill(tmp_path / "in", {name: f"content {number}" for number, name in enumerate(NAMES)})
    (source / "twin-1.txt").write_text("the same content")
    (source / "twin-2.txt").write_text("the same content")
    (source / "link.txt").symlink_to(outside / "secret.txt")
    (source / "linked").symlink_to(outside)
    output = tmp_path / "out"
    folder = {"connector": "local", "settings": {"path": str(output)}, "outputFolder": "/results"}
    run = fleet.run(source, destination=folder if destination == "folder" else None)
    files = run.files
    assert {file.status for file in files} == {"COMPLETED"}, [file.error for file in files]
    assert len(files) == len(NAMES) + 2
    assert len({file.path for file in files}) == len(files)
    before = sorted(entry for entry in os.listdir(tmp_path))
    if destination == "database":
        rows = run.rows()
        assert sorted(row["file_path"] for row in rows) == sorted(file.path for file in files)
        texts = [row["data"] for row in rows]
        for number in range(len(NAMES)):
            assert sum(f'"content {number}"' in text for text in texts) == 1
        assert not any("secret" in text for text in texts)
    else:
        written = [path for path in output.rglob("*") if path.is_file()]
        assert len(written) == len(files)
        assert sorted(path for file in files for path in file.outputs) == sorted(
            encode_name(str(path)) for path in written
        )
        texts = [path.read_text() for path in written]
        for number in range(len(NAMES)):
            assert sum(f'"content {number}"' in text for text in texts) == 1
        assert sum("the same content" in text for text in texts) == 2
        assert not any("secret" in text for text in texts)
        assert before == ["in", "out", "outside"]
    assert run.page().count("\n") < 40, "a name broke the page"
    again = fleet.run(source, name=run.workflow.name, destination=run.workflow.destination, history=True)
    assert again.state.execution.empty_reason == "all_filtered"
    assert again.state.skipped == {"already_processed": len(files), "link_outside": 2}


def test_equal_folders_and_a_second_delivery_keep_every_output_apart(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a/x/report.txt": "of a", "b/x/report.txt": "of b", "x/report.txt": "of x"})
    into = {"connector": "local", "settings": {"path": str(tmp_path / "out")}}
    first = fleet.run(source, "passthrough", destination=into, history=False)
    assert first.statuses == dict.fromkeys(("a/x/report.txt", "b/x/report.txt", "x/report.txt"), "COMPLETED")
    written = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert sorted(path.read_text() for path in written) == ["of a", "of b", "of x"]
    again = fleet.run(source, "passthrough", name=first.workflow.name, destination=into, history=False)
    assert again.json()["successful_files"] == 3
    assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == written


def test_a_document_that_is_deleted_before_its_turn_is_an_error_of_its_own(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    source = fill(tmp_path / "in", {f"{number:02}.txt": "wait here" for number in range(12)})
    run = fleet.begin(source, stage.tool)
    stage.await_starts(1)
    gone = [path for path in source.iterdir() if path.name not in stage.started()][-1]
    gone.unlink()
    stage.open()
    run.wait()
    found = run.by_name
    assert (found[gone.name].status, found[gone.name].error_code) == ("ERROR", "file_missing")
    assert str(source) in str(found[gone.name].error)
    assert run.state.counts["COMPLETED"] == 11
    run.assert_cleaned()
