"""From a YAML file to an answered call: ``docfleet apply``, ``keys`` and ``executions`` against a running system."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from docfleet.core.management.keys import Scope
from tests.acceptance.fleet import DOCFLEET, Fleet, plain_environment
from tests.waiting import until

API = """\
api: {{name: {name}, display_name: First}}
workflow: {{name: {name}}}
tools: [{{tool: passthrough, settings: {{copy: false}}}}]
"""


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


def call(url: str, key: str, files: list[tuple[str, bytes]], **fields: str) -> tuple[int, Any]:
    boundary = uuid.uuid4().hex
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [f'name="files"; filename="{name}"\r\n\r\n'.encode() + content for name, content in files]
    body = b"".join(f"--{boundary}\r\nContent-Disposition: form-data; ".encode() + part + b"\r\n" for part in parts)
    request = urllib.request.Request(
        url,
        data=body + f"--{boundary}--\r\n".encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_publish_call_and_revoke(fleet: Fleet, tmp_path: Path) -> None:
    name = f"api-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "api.yaml"
    file.write_text(API.format(name=name))
    planned = docfleet(fleet, "apply", str(file), "--dry-run")
    assert f"+ workflow {name}: would be created" in planned and f"+ API {name}: would be created" in planned

    made = docfleet(fleet, "apply", str(file))
    url = re.search(r"url +(\S+)", made)
    key = re.search(r"key +(\S+)", made)
    assert url and key, made
    status, answer = call(url[1], key[1], [("b.txt", b"two"), ("a.txt", b"one"), ("a.txt", b"two")], timeout="60")
    assert status == 200, answer
    message = answer["message"]
    assert message["execution_status"] == "COMPLETED"
    assert [item["status"] for item in message["result"]] == ["Success"] * 3
    assert [item["result"]["output"]["size"] for item in message["result"]] == [3, 3, 3]
    assert [item["file"] for item in message["result"]] == ["b.txt", "a.txt", "a (2).txt"]

    listed = docfleet(fleet, "executions", "list")
    assert message["execution_id"] in listed
    assert "b.txt" in docfleet(fleet, "executions", "show", message["execution_id"])
    results = json.loads(docfleet(fleet, "executions", "results", message["execution_id"]))
    assert [item["file"] for item in results] == ["b.txt", "a.txt", "a (2).txt"]

    row = next(row for row in json.loads(docfleet(fleet, "keys", "list", "--json")) if row["target"] == name)
    assert key[1] not in docfleet(fleet, "keys", "list")
    assert row["last_used_at"]
    docfleet(fleet, "keys", "revoke", row["key_id"])
    assert call(url[1], key[1], [("a.txt", b"one")])[0] == 401
    assert "was revoked before" in docfleet(fleet, "keys", "revoke", row["key_id"])
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    short = fleet.client.create_key(Scope.DEPLOYMENT, name, "short \x1b[31m", soon)
    until(lambda: call(url[1], short.key, [("a.txt", b"one")])[0] == 401, 10)
    line = next(line for line in docfleet(fleet, "keys", "list").splitlines() if short.key_id in line)
    assert line.endswith("  expired") and "\x1b" not in line
    second = docfleet(fleet, "keys", "create", "--api", name, "--days", "1").strip()
    assert call(url[1], second, [("a.txt", b"one")], timeout="60")[0] == 200


def test_applying_again_changes_nothing_and_a_change_is_shown(fleet: Fleet, tmp_path: Path) -> None:
    name = f"api-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "api.yaml"
    file.write_text(API.format(name=name))
    docfleet(fleet, "apply", str(file))
    again = docfleet(fleet, "apply", str(file))
    assert again == f"= workflow {name}: unchanged\n= API {name}: unchanged\n"

    file.write_text(API.format(name=name).replace("First", "Second").replace("copy: false", "copy: true"))
    planned = docfleet(fleet, "apply", str(file), "--dry-run")
    assert f"~ workflow {name}: would change: tools" in planned
    assert "-     copy: false" in planned and "+     copy: true" in planned
    assert f"~ API {name}: would change: display_name" in planned
    assert "- display_name: First" in planned and "+ display_name: Second" in planned
    assert docfleet(fleet, "apply", str(file), "--dry-run") == planned, "a dry run changed something"
    docfleet(fleet, "apply", str(file))
    assert docfleet(fleet, "apply", str(file)) == again


def test_what_is_refused_in_part_changes_nothing_at_all(fleet: Fleet, tmp_path: Path) -> None:
    name = f"api-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "api.yaml"
    published = API.format(name=name)
    file.write_text(published)
    docfleet(fleet, "apply", str(file))
    renamed = published.replace(f"api: {{name: {name}", f"api: {{name: {name}-2").replace("copy: false", "copy: true")
    for options in (["--dry-run"], []):
        file.write_text(renamed)
        refused = docfleet(fleet, "apply", str(file), *options, fails=1)
        assert f"published as '{name}' already" in refused and "DELETE /api/v1/deployments/" in refused
        file.write_text(published)
        assert docfleet(fleet, "apply", str(file), "--dry-run").count("unchanged") == 2
    # Under another name the workflow is a new one; the dry run tells all of it before it is there.
    file.write_text(published.replace(f"workflow: {{name: {name}", f"workflow: {{name: {name}-2"))
    planned, done = docfleet(fleet, "apply", str(file), "--dry-run"), docfleet(fleet, "apply", str(file))
    assert done == planned.replace("would change", "changed").replace("would be created", "created").replace(
        "nothing was changed (--dry-run)\n", ""
    )
    assert f"~ API {name}: changed: workflow\n" in done


def test_a_pipeline_gets_a_url_that_starts_it(fleet: Fleet, tmp_path: Path) -> None:
    name = f"nightly-{uuid.uuid4().hex[:8]}"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("hello")
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        f"pipeline: {{name: {name}}}\nworkflow: {{name: {name}}}\ntools: [{{tool: passthrough}}]\n"
        "source: {connector: local, settings: {path: in}}\n"
        "destination: {connector: sqlite, settings: {path: out.db}, table: t}\n"
    )
    made = docfleet(fleet, "apply", str(file))
    line = re.search(r"curl -X POST -H 'Authorization: Bearer (\S+)' (\S+)", made)
    assert line, made
    request = urllib.request.Request(line[2], data=b"", headers={"Authorization": f"Bearer {line[1]}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    assert name in docfleet(fleet, "executions", "list")
    assert docfleet(fleet, "apply", str(file)).count("unchanged") == 2
