"""The public API of deployments: who is refused, and whose status is shown."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("spec", [{"manual_review": {"review_percentage": 50}}])
def test_review_is_refused_with_its_reason(api: Any, spec: dict[str, Any]) -> None:
    invoices = api.publish(**spec)
    answer = invoices.post(("a.txt", b"one"), status=422)
    assert "review" in answer["errors"][0]["detail"]
    assert not [path for path in (api.folder / "storage" / api.organization).rglob("*") if path.is_file()]
