"""RabbitMQ, the PostgreSQL result backend and the PostgreSQL backend database really carry the work."""

from __future__ import annotations

from pathlib import Path

import psycopg
from fleet import Fleet, fill, until


def test_queues_results_and_rows_are_in_the_services(
    service_fleet: Fleet, service_databases: tuple[str, str], tmp_path: Path
) -> None:
    source = fill(tmp_path / "in", {f"{number}.txt": "document" for number in range(10)})
    run = service_fleet.run(source)
    assert run.json()["successful_files"] == 10, run.error
    backend, results = (url.replace("+psycopg", "") for url in service_databases)
    with psycopg.connect(backend) as database:
        found = database.execute("SELECT count(*) FROM file_executions WHERE execution_id = %s", (run.id,)).fetchone()
        assert found == (10,)
    with psycopg.connect(results) as database:
        query = "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'"
        until(lambda: database.execute(query).fetchone() != (0,), what="no result was stored in PostgreSQL")
    assert not (service_fleet.data / "docfleet.db").exists()


def test_results_go_to_a_postgresql_table(service_fleet: Fleet, postgres_url: str, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a.txt": "first", "b 'quoted' ü.txt": "second", "bad.txt": "crash"})
    table = f"acceptance_{service_fleet.process.pid}"
    into = {
        "connector": "postgresql",
        "settings": {"connection_url": postgres_url},
        "table": table,
        "columnMode": "SPLIT_JSON_INTO_COLUMNS",
    }
    run = service_fleet.run(source, destination=into)
    assert (run.json()["successful_files"], run.json()["failed_files"]) == (2, 1)
    with psycopg.connect(postgres_url) as database:
        rows = database.execute(f"SELECT file_path, status, text FROM {table} ORDER BY file_path").fetchall()
        database.execute(f"DROP TABLE {table}")
    assert rows == [
        ("a.txt", "SUCCESS", "first"),
        ("b 'quoted' ü.txt", "SUCCESS", "second"),
        ("bad.txt", "ERROR", None),
    ]
