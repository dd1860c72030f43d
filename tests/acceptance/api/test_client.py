"""The original's released client, unchanged, against a running Docfleet."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from unstract.api_deployments.client import APIDeploymentsClient, PlatformClientError, PlatformKeyClient

from docfleet.cli.management import ManagementClient
from docfleet.core.management.keys import Scope
from docfleet.core.management.organizations import OrganizationSetting
from tests.acceptance.fleet import Fleet, Stage, fill
from tests.acceptance.published import NO_OP, Published
from tests.waiting import until

# The client's, with the tenacity of today.
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning")
TEXT = {"tool": "text_extractor", "settings": {}}


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return fill(
        tmp_path / "documents",
        {
            "one.txt": "the first",
            "two.txt": "the second",
            "bad.pdf": b"%PDF-1.7\nno page in here",
            "x.exe": b"MZ\x90\0",
        },
    )


def client_of(api: Published, **options: Any) -> APIDeploymentsClient:
    return APIDeploymentsClient(api.url, options.pop("api_key", api.key), **{"logging_level": "ERROR", **options})


def structure(api: Published, *paths: Path, **options: Any) -> dict[str, Any]:
    with closing(client_of(api)) as client:
        answer: dict[str, Any] = client.structure_file([str(path) for path in paths], **options)
        return answer


def test_a_file_at_once(fleet: Fleet, documents: Path) -> None:
    answer = structure(Published.publish(fleet, TEXT), documents / "one.txt", timeout=60, custom_data={"case": 7})
    assert (answer["status_code"], answer["execution_status"], answer["pending"]) == (200, "COMPLETED", False)
    assert not answer["error"]
    (item,) = answer["extraction_result"]
    assert (item["file"], item["status"], item["error"]) == ("one.txt", "Success", None)
    assert "the first" in str(item["result"]["output"])
    assert item["metadata"]["custom_data"] == {"case": 7}


def test_asynchronously_with_polling(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    api = Published.publish(fleet, stage.tool)
    source = fill(tmp_path / "in", {"slow.txt": "wait for it"})
    with closing(client_of(api)) as client:
        begun = client.structure_file([str(source / "slow.txt")], timeout=-1)
        assert (begun["status_code"], begun["pending"]) == (200, True)
        where = begun["status_check_api_endpoint"]
        stage.await_starts(1)
        running = client.check_execution_status(where)
        assert (running["status_code"], running["pending"], running["execution_status"]) == (422, True, "EXECUTING")
        stage.open()
        last: dict[str, Any] = until(lambda: not (now := client.check_execution_status(where))["pending"] and now)
        assert (last["status_code"], last["execution_status"]) == (200, "COMPLETED")
        assert [item["result"]["output"]["text"] for item in last["extraction_result"]] == ["wait for it"]
        again = client.check_execution_status(where)
        assert (again["status_code"], again["error"]) == (406, "Result already acknowledged")


def test_several_files_one_of_them_bad_and_one_of_no_use(fleet: Fleet, documents: Path) -> None:
    names = ["two.txt", "bad.pdf", "x.exe", "one.txt"]
    answer = structure(Published.publish(fleet, TEXT), *(documents / name for name in names), timeout=60)
    assert (answer["status_code"], answer["execution_status"]) == (200, "COMPLETED")
    items = answer["extraction_result"]
    assert [item["file"] for item in items] == names
    assert [item["status"] for item in items] == ["Success", "Failed", "Failed", "Success"]
    assert [bool(item["error"]) for item in items] == [False, True, True, False]
    assert "is a program" in items[2]["error"]
    assert items[1]["result"] is None


def test_a_wrong_key_and_an_unknown_api(fleet: Fleet, documents: Path) -> None:
    api = Published.publish(fleet)
    path = str(documents / "one.txt")
    with closing(client_of(api, api_key=str(uuid.uuid4()))) as client:
        refused = client.structure_file([path])
    assert (refused["status_code"], refused["pending"]) == (401, False)
    assert "key" in refused["error"]
    other = Published(api.client, "none", api.url.replace(api.name, "no-such-api"), api.key)
    unknown = structure(other, documents / "one.txt")
    assert unknown["status_code"] == 404
    assert "no-such-api" in unknown["error"]


@pytest.fixture
def limited(fleet: Fleet) -> Iterator[str]:
    """An organization that may run one execution at a time."""
    name = f"limited-{uuid.uuid4().hex[:8]}"
    admin = ManagementClient(fleet.addresses, name)
    admin.put_organization()
    admin.call(OrganizationSetting, "PUT", "settings/API_CONCURRENT_REQUEST_LIMIT", {"value": 1})
    yield name


def test_too_many_at_once_learn_when_to_come_again_and_are_then_let_in(
    fleet: Fleet, limited: str, documents: Path, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "stage")
    api = Published.publish(fleet, stage.tool, organization=limited)
    first = api.post(("slow.txt", "wait"))
    assert first.status == 200
    stage.await_starts(1)
    refused = api.post(("a.txt", "a"))
    assert refused.status == 429
    assert float(refused.headers["Retry-After"]) > 0
    assert (refused.body["type"], refused.body["errors"][0]["code"]) == ("client_error", "throttled")
    # Later than the first call of the client, on a slow machine too, and before its second one.
    threading.Timer(1.5, stage.open).start()
    started = time.monotonic()
    answer = structure(api, documents / "one.txt", timeout=0)
    # The client waited as long as it was told, not its own first delay of more than two seconds with jitter.
    assert answer["status_code"] == 200 and answer["pending"], answer
    assert time.monotonic() - started >= float(refused.headers["Retry-After"])


def test_a_platform_key_reads_its_organization_and_its_apis_page_by_page(fleet: Fleet, limited: str) -> None:
    apis = sorted(Published.publish(fleet, NO_OP, organization=limited).name for _ in range(3))
    admin = ManagementClient(fleet.addresses, limited)
    key = admin.create_key(Scope.PLATFORM, None, "reader").key
    with closing(PlatformKeyClient(fleet.addresses.backend_url, key, logging_level="ERROR")) as client:
        me = client.whoami()
        assert (me["organization_id"], me["key_name"]) == (limited, "reader")
        found, page = [], 1
        while page:
            answer = client.list_deployments(limited, ordering="api_name", page=page, page_size=2)
            assert answer["count"] == 3
            found += [row["api_name"] for row in answer["results"]]
            page = page + 1 if answer["next"] else 0
        assert found == apis
        only = client.list_deployments(limited, api_name=apis[1])["results"]
        assert [row["api_name"] for row in only] == [apis[1]]
        with pytest.raises(PlatformClientError, match="403"):
            client.list_deployments("default")
    with (
        closing(PlatformKeyClient(fleet.addresses.backend_url, str(uuid.uuid4()), logging_level="ERROR")) as client,
        pytest.raises(PlatformClientError, match="401"),
    ):
        client.whoami()
