"""The documents are true: their commands, settings, links and names exist, and they are short."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

import click
import pytest

from docfleet.core.names import WorkerType
from docs.generator import commands, metrics
from docs.generator.log_events import events
from docs.generator.settings import rows, settings_types
from docs.generator.sources import calls, constant
from tests.architecture.documents import DOCUMENTS, ROOT, Document

MAX_README_LINES = 80
MAX_PARAGRAPH_LINES = 5
MAX_LINE_LENGTH = 110
"""Characters of a line of prose: without that, a paragraph of five lines would mean nothing."""

_COMMAND = re.compile(r"^\s*(?:\$ )?(?:\S*/)?docfleet\s+(?P<rest>.+)$")
_VARIABLE = re.compile(r"^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?$")
_METRIC = re.compile(r"\bdocfleet_[a-z_]+\b")
_EVENT = re.compile(r"(?<![\w./-])[a-z_]+\.[a-z_]+\b(?![./(])")
_PATH = re.compile(r"^(?:[\w.-]+/)+(?:[\w-]+\.\w+)?$|^[\w-]+\.(?:py|toml|md)$")
OF_OTHERS = {
    *("GRPC_ENABLE_FORK_SUPPORT", "GRPC_POLL_STRATEGY", "EXECUTION_DATA_DIR", "API_CONCURRENT_REQUEST_LIMIT"),
    *("DOCFLEET_TEST_POSTGRES_URL", "DOCFLEET_TEST_RABBITMQ_URL", "DOCFLEET_TEST_DATA", "DOCFLEET_FAULT_SEED"),
    *("REQUIRE_SERVICES", "API_KEY", "CUSTOM_HEADER", "CELERY_NAME", "SINGLE_STEP_MESSAGE"),
    *("SPLIT_JSON_INTO_COLUMNS", "WRITE_JSON_TO_A_SINGLE_COLUMN", "CONFIG_GET"),
}
"""Words of the form of a setting that are something else: variables of libraries and tests, names on the wire."""
ENDINGS = (".py", ".md", ".toml", ".db")
OF_USERS = (".venv/", "COPY_TO_FOLDER/", "application/", "stamp/")
"""What a path in a document begins with that is no file of the repository."""
NO_EVENTS = {"executions.stop_requested_at", "pipelines.cron_string", "tool.uv"}
"""Columns, and a table of pyproject.toml."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=repr)


def lines_of_commands(document: Document) -> Iterator[str]:
    """What follows ``docfleet`` in each line of code and each inline code that begins with it."""
    for line in [*(line for block in document.blocks for line in block.splitlines()), *document.spans]:
        for part in [line, *re.findall(r"`([^`]+)`", line)]:
            if found := _COMMAND.match(part):
                yield re.split(r"\s+[#|;>]\s|\s{3,}", found["rest"])[0]


def check_command(line: str) -> None:
    """Raise ``click.UsageError`` for a command, an option or a number of arguments that does not exist."""
    words = [word for word in shlex.split(re.sub(r"[\[\]]", "", line)) if word not in ("OPTIONS", "...")]
    command: click.Command = commands.program()
    context = click.Context(command)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        if found is None:
            if words[0].isupper():  # as in `docfleet COMMAND --help`
                return
            raise click.UsageError(f"there is no command {words[0]!r}")
        command, words = found, words[1:]
    if isinstance(command, click.Group):
        return
    context = click.Context(command)
    _, left, _ = command.make_parser(context).parse_args(args=words)
    if left:
        raise click.UsageError(f"{left} is too much")


@each_document
def test_every_command_of_a_document_exists(document: Document) -> None:
    wrong = []
    for line in lines_of_commands(document):
        try:
            check_command(line)
        except (click.UsageError, ValueError) as error:
            wrong.append(f"docfleet {line}: {error}")
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    ["rum", "run x.yaml --sauce y", "executions list --status", "pipelines pause a b", "executions halt ID"],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        check_command(line)


def test_commands_are_found_in_blocks_and_in_text() -> None:
    lines = [line for document in DOCUMENTS for line in lines_of_commands(document)]
    assert len(lines) > 150
    assert {"verify ID", "apply mine.yaml --dry-run", "keys revoke ID"} <= set(lines)


@each_document
def test_every_target_of_make_exists(document: Document) -> None:
    targets = set(re.findall(r"^([a-z0-9.-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    lines = [*(line for block in document.blocks for line in block.splitlines()), *document.spans]
    named = {found[1] for line in lines if (found := re.match(r"^\$? ?make ([a-z][a-z0-9.-]*)", line))}
    assert named <= targets


@each_document
def test_every_link_leads_somewhere(document: Document) -> None:
    broken = []
    by_path = {each.path: each for each in DOCUMENTS}
    for target in document.links():
        path, _, anchor = target.partition("#")
        there = (document.path.parent / path).resolve() if path else document.path
        if not there.exists() or (anchor and anchor not in by_path[there].anchors()):
            broken.append(target)
    assert broken == []


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (document.path.parent / target.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for target in document.links()
        if target.partition("#")[0]
    }
    folders = {path for path in linked if path.is_dir()}
    unseen = [document for document in DOCUMENTS if not {document.path, document.path.parent} & (linked | folders)]
    assert unseen == [document for document in DOCUMENTS if document.path == ROOT / "README.md"]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= MAX_README_LINES


@each_document
def test_paragraphs_are_short(document: Document) -> None:
    long = [" ".join(lines) for lines in document.paragraphs() if len(lines) > MAX_PARAGRAPH_LINES]
    wide = [line for lines in document.paragraphs() for line in lines if len(line) > MAX_LINE_LENGTH]
    assert (long, wide) == ([], [])


@cache
def variables() -> set[str]:
    """Every setting there is, with the names that worker types may give one."""
    found = {row[0].strip("`") for kind in settings_types() for row in rows(kind)}
    tunable = {name.removeprefix("CELERY_") for name in found if name.startswith("CELERY_")} | {"HEALTH_PORT"}
    return found | {f"{kind.value.upper()}_{name}" for kind in WorkerType for name in tunable}


@each_document
def test_every_setting_that_a_document_names_exists(document: Document) -> None:
    named = {found[1] for span in document.spans if (found := _VARIABLE.match(span))}
    assert named - variables() - OF_OTHERS == set()


@cache
def tracked() -> tuple[str, ...]:
    """Files and folders of the repository; a folder ends with a slash."""
    answer = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = answer.stdout.splitlines()
    folders = {f"{parent}/" for file in files for parent in PurePosixPath(file).parents if parent.name}
    return (*files, *sorted(folders))


@each_document
def test_every_file_of_the_code_that_a_document_names_exists(document: Document) -> None:
    named = {span for span in document.spans if _PATH.match(span) and not span.startswith(OF_USERS)}
    missing = {span for span in named if not any(f"/{path}".endswith(f"/{span}") for path in tracked())}
    assert missing == set()


@cache
def metric_names() -> set[str]:
    text = metrics.of_backend() + metrics.of_worker()
    return set(_METRIC.findall(text)) | {"docfleet_deliveries", "docfleet_error"}  # a table and an error


@each_document
def test_every_metric_that_a_document_names_exists(document: Document) -> None:
    named = {found for span in document.spans for found in _METRIC.findall(span)}
    assert named - metric_names() == set()


@cache
def fault_points() -> set[str]:
    """Their names have the form of events."""
    of_points = (
        call for _, call in calls() if isinstance(call.func, ast.Name) and call.func.id == "point" and call.args
    )
    return {str(constant(call.args[0])) for call in of_points}


@each_document
def test_every_log_event_that_a_document_names_exists(document: Document) -> None:
    known = {name for named in events().values() for name in named}
    first_words = {name.partition(".")[0] for name in known}
    named = {found for span in document.spans for found in _EVENT.findall(span)}
    named = {name for name in named if name.partition(".")[0] in first_words and not name.endswith(ENDINGS)}
    assert named - known - fault_points() - NO_EVENTS == set()
