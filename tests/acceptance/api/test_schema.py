"""The fuzzer against the served description: no 5xx, no status that is not documented."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet, plain_environment
from tests.acceptance.published import Published

SECONDS = "8"


@pytest.mark.slow
@pytest.mark.parametrize("routes", ["/deployment/", "/api/v1/(?!unstract)"])
def test_the_fuzzer_finds_no_5xx_and_nothing_undocumented(fleet: Fleet, tmp_path: Path, routes: str) -> None:
    organization = f"fuzz-{uuid.uuid4().hex[:8]}"
    Published.publish(fleet)
    fleet.client.create_organization(organization, organization)
    api = Published.publish(fleet, organization=organization)
    key = api.key if routes == "/deployment/" else fleet.addresses.key
    # Names that exist, so that the fuzzer gets beyond 404.
    (tmp_path / "schemathesis.toml").write_text(
        f'[parameters]\n"path.org_name" = "{organization}"\n"path.api_name" = "{api.name}"\n'
    )
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run"),
            f"{fleet.addresses.backend_url}/schema/openapi.json",
            *("--checks", "not_a_server_error,status_code_conformance", "--include-path-regex", f"^{routes}"),
            *("--max-time", SECONDS, "--phases", "coverage,fuzzing", "--max-examples", "10", "--no-shrink"),
            *("--generation-database", "none", "--no-color", "--request-timeout", "20"),
            *("-H", f"Authorization: Bearer {key}", "-H", f"X-Organization-ID: {organization}"),
        ],
        cwd=tmp_path,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
