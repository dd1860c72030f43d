"""``docfleet apply``: the difference it shows, and mistakes on the command line."""

from __future__ import annotations

import socket

import pytest

from docfleet.cli.commands.apply import difference
from docfleet.cli.main import main


def test_a_difference_shows_what_changes() -> None:
    before = {
        "description": "a",
        "tools": [{"tool": "x", "settings": {"n": 1, "pages": 10}}],
        "destination": {"connector": "postgresql", "settings": {"password": "****", "host": "h"}},
    }
    after = {
        "description": "b",
        "tools": [{"tool": "x", "settings": {"n": 2, "pages": 10}}],
        "destination": {"connector": "postgresql", "settings": {"password": "**** (changed)", "host": "h"}},
    }
    assert difference(before, after) == [
        "- description: a",
        "+ description: b",
        "-     n: 1",
        "+     n: 2",
        "-     password: '****'",
        "+     password: '**** (changed)'",
    ]
    assert difference({"description": "a"}, {"description": ""}) == ["- description: a"]


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["executions", "show", "nope"], 1, "the execution id (see `docfleet executions list`) is not a UUID: 'nope'"),
        (["executions", "show", ""], 1, "is not a UUID: ''"),
        (["executions", "results", "../x"], 1, "is not a UUID"),
        (["keys", "revoke", "nope"], 1, "the key id (see `docfleet keys list`) is not a UUID"),
        (
            ["keys", "create", "--role", "admin", "--api", "invoices"],
            2,
            "for the organization (--role), not for several",
        ),
        (["keys", "create", "--role", "root"], 2, "'viewer', 'operator', 'admin'"),
        (["keys", "list", "--organization", "a\nb"], 2, "the organization has characters"),
        (["keys", "list", "--key", "\u0142"], 2, "the key has characters"),
        (["keys", "list", "--url", "http://127.0.0.1:99999"], 2, "not an http address"),
        (["keys", "list", "--url", "http://127.0.0.1:x"], 2, "not an http address"),
        (["keys", "list"], 1, "Connection refused; check that it runs and that --url is right"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(
    arguments: list[str], code: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # nobody listens
        where = [] if "--url" in arguments else ["--url", f"http://127.0.0.1:{nobody.getsockname()[1]}"]
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *where, *([] if "--key" in arguments else ["--key", "k"])])
    assert ended.value.code == code
    assert expected in capsys.readouterr().err
