"""The API of platform keys: an organization and its deployments."""

from __future__ import annotations

from typing import Any

from tests.integration.backend.keys_of_callers import call_with_key


def test_a_platform_key_describes_its_organization_and_no_other(api: Any) -> None:
    for name in ("invoices", "letters", "reports"):
        api.publish(name)
    platform = api.key("platform", None)
    root = "/api/v1/unstract"
    me = call_with_key(api, "GET", f"{root}/whoami/", platform).json()
    assert me == {
        "organization_id": api.organization,
        "organization_name": "Test",
        "permission": "read",
        "key_name": "k",
    }
    page = call_with_key(api, "GET", f"{root}/{api.organization}/api/deployment/?page_size=2&search=e", platform).json()
    assert (page["count"], page["previous"]) == (3, None)
    assert [row["api_name"] for row in page["results"]] == ["invoices", "letters"]
    following = call_with_key(api, "GET", page["next"], platform).json()
    assert [row["api_name"] for row in following["results"]] == ["reports"] and following["next"] is None
    one = call_with_key(api, "GET", f"{root}/{api.organization}/api/deployment/?api_name=letters", platform).json()
    assert one["count"] == 1 and one["results"][0]["api_endpoint"].endswith("/letters/")
    other = api.other()
    for path, key, status in (
        (f"{root}/{other.organization}/api/deployment/", platform, 403),
        (f"{root}/whoami/", "wrong", 401),
        (f"{root}/whoami/", None, 401),
        (f"{root}/whoami/", api.key("deployment", "invoices"), 401),
        (f"{root}/{api.organization}/api/deployment/?page=9", platform, 404),
        (f"{root}/{api.organization}/api/deployment/?page=x", platform, 400),
        (f"{root}/{api.organization}/api/deployment/?ordering=secret", platform, 400),
    ):
        answer = call_with_key(api, "GET", path, key)
        assert answer.status_code == status and set(answer.json()) == {"message"}, (path, answer.text)
