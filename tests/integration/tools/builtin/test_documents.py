"""The built-in tools on real documents (skipped where there are none) and on the generated samples."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from docfleet.tools import protocol
from docfleet.tools.protocol import LogMessage
from docfleet.tools.registry import ToolRegistry, load_tool
from docfleet.tools.sdk import run_tool
from tests.repository import DATA, REPOSITORY

real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real documents at {DATA} (DOCFLEET_TEST_DATA)")
ENCRYPTED = {"libreoffice-writer-password.pdf", "password_protected.xlsx", "fake-encrypted.eml"}
WITHOUT_WORDS = {"grayscale-image.pdf", "smile-lzw.tiff", "empty.xlsx"}


def documents(*names: str) -> list[Path]:
    return [path for name in names for path in sorted((DATA / name).glob("*"))] if DATA.is_dir() else []


def prepare(folder: Path, path: Path, name: str) -> Path:
    folder.mkdir()
    for copy in ("INFILE", "SOURCE"):
        shutil.copyfile(path, folder / copy)
    (folder / "METADATA.json").write_text(json.dumps({"source_name": name, "tool_metadata": []}))
    return folder


def run_steps(folder: Path, steps: list[tuple[str, dict[str, Any]]]) -> int:
    registry = ToolRegistry.load()
    for number, (tool_id, settings) in enumerate(steps):
        entry = registry.get(tool_id).entry
        assert entry is not None
        if run_tool(load_tool(entry), settings, folder):
            return 1
        assert protocol.read_verdict(folder, number).tool_name == tool_id
    return 0


@real
@pytest.mark.parametrize("path", documents("office", "mixed"), ids=lambda path: path.name)
def test_every_document_ends_with_text_or_a_cause(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = prepare(tmp_path / "run", path, path.name)
    code = run_steps(folder, [("text_extractor", {})])
    lines = [protocol.parse_line(line.encode()) for line in capfd.readouterr().out.splitlines()]
    if path.name in ENCRYPTED:
        assert code == 1
        (error,) = [line for line in lines if isinstance(line, LogMessage) and line.error_code]
        assert error.error_code == "password_required"
        assert "password required" in error.log or "encrypted message" in error.log
        return
    assert code == 0, lines
    text = (folder / "INFILE").read_text("utf-8")
    assert len(text.split()) >= (3 if path.name in WITHOUT_WORDS else 2)
    assert text.startswith("[") == (path.name in WITHOUT_WORDS - {"empty.xlsx"})


@real
def test_the_fields_of_most_invoices_are_found(tmp_path: Path) -> None:
    right = []
    for number, path in enumerate(documents("invoices")):
        if path.suffix == ".png":
            continue
        truth = json.loads((DATA / "truth" / "invoices" / f"{path.stem}.json").read_text("utf-8"))[0]
        folder = prepare(tmp_path / str(number), path, path.name)
        assert run_steps(folder, [("text_extractor", {}), ("field_extractor", {})]) == 0
        found = json.loads((folder / "INFILE").read_text("utf-8"))
        names = [name for name in ("invoice_number", "date", "amount", "currency", "issuer") if name in truth]
        if all(found.get(name) == truth[name] for name in names):
            right.append(path.stem)
    assert len(right) >= 9, right


@real
def test_a_scanned_receipt_gives_its_date_and_total(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "run", DATA / "receipts" / "007.jpg", "007.jpg")
    assert run_steps(folder, [("text_extractor", {}), ("field_extractor", {"preset": "receipt"})]) == 0
    found = json.loads((folder / "INFILE").read_text("utf-8"))
    assert (found["date"], found["total"]) == ("2019-01-23", 20.0)


@pytest.fixture(scope="module")
def make_samples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", REPOSITORY / "examples" / "make_samples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def samples(make_samples: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("samples")
    return folder, make_samples.make_samples(folder)


@pytest.fixture(scope="module")
def workflow() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    content = yaml.safe_load((REPOSITORY / "examples" / "invoices.yaml").read_text("utf-8"))
    yield [(step["tool"], step["settings"]) for step in content["tools"]]


def test_the_example_workflow_finds_the_truth_of_every_sample(
    samples: tuple[Path, dict[str, Any]], workflow: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    made, truth = samples
    assert {Path(name).suffix for name in truth} == {".pdf", ".png", ".jpg", ".docx", ".html"} and len(truth) == 10
    for name, fields in truth.items():
        folder = prepare(tmp_path / f"run-{name}", made / name, name)
        assert run_steps(folder, workflow) == 0
        found = json.loads((folder / "INFILE").read_text("utf-8"))
        assert {key: found.get(key) for key in fields} == fields, name
        assert found["matched"] is True


def test_the_sorting_example_uses_each_of_its_bins(samples: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    content = yaml.safe_load((REPOSITORY / "examples" / "sort.yaml").read_text("utf-8"))
    steps = [(step["tool"], step["settings"]) for step in content["tools"]]
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear all")
    bins: dict[str, str] = {}
    for path in (letter, *samples[0].iterdir()):
        folder = prepare(tmp_path / f"run-{path.name}", path, path.name)
        assert run_steps(folder, steps) == 0
        bins[path.name] = json.loads((folder / "INFILE").read_text("utf-8"))["bin"]
        assert (folder / "COPY_TO_FOLDER" / bins[path.name] / path.name).read_bytes() == path.read_bytes()
    assert bins["rechnung-de-1.pdf"] == "german-invoices" and bins["scan-1.png"] == "scanned-invoices"
    assert bins["invoice-word.docx"] == "invoices" and bins["letter.txt"] == "other"


def test_the_samples_are_the_same_every_time(
    make_samples: ModuleType, samples: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    make_samples.make_samples(tmp_path / "two")
    for path in samples[0].iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["a b.html", "ä字'\"\n.html", "x" * 250 + ".html", ".html", "-rf", "a\\b.html"])
def test_any_file_name_works(name: str, tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_bytes(b"<html><body>hello world</body></html>")
    folder = prepare(tmp_path / "run", document, name)
    assert run_steps(folder, [("text_extractor", {}), ("passthrough", {})]) == 0
    assert json.loads((folder / "INFILE").read_bytes())["file"] == name
    assert (folder / "COPY_TO_FOLDER" / name).read_bytes() == document.read_bytes()


@pytest.mark.parametrize("tool_id", ["text_extractor", "classifier", "field_extractor", "passthrough"])
def test_each_tool_is_a_command(tool_id: str, tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_text("hello world")
    folder = prepare(tmp_path / "run", document, "hello.txt")
    settings = (
        {"bins": [{"name": "a", "rules": [{"field": "text", "contains": "hello"}]}]} if tool_id == "classifier" else {}
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            f"docfleet.tools.builtin.{tool_id}",
            "--command",
            "RUN",
            "--settings",
            json.dumps(settings),
        ],
        env={"EXECUTION_DATA_DIR": str(folder)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert protocol.read_verdict(folder, 0).tool_name == tool_id
