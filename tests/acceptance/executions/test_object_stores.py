"""Documents out of a bucket and results into one, by the real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.acceptance.fleet import Fleet
from tests.object_stores import SECRET, moto_server, s3_client, s3_settings


def test_a_bucket_is_source_and_destination(embedded_fleet: Fleet, tmp_path: Path) -> None:
    with moto_server(tmp_path) as server:
        boto = s3_client(server.url)
        boto.create_bucket(Bucket="documents")
        keys = [f"in/{name}" for name in ("a.txt", "A.txt", "sub/b.txt", "Größe & more.txt")]
        for key in keys:
            boto.put_object(Bucket="documents", Key=key, Body=f"content of {key}".encode())
        boto.put_object(Bucket="documents", Key="in/sub/", Body=b"")

        def endpoint(folder: str, **options: Any) -> dict[str, Any]:
            return {"connector": "minio", "settings": s3_settings(server.url, bucket=f"documents/{folder}"), **options}

        workflow = {"source": endpoint("in", processSubDirectories=True)}
        run = embedded_fleet.run(tmp_path / "unused", destination=endpoint("out"), workflow=workflow, history=True)
        assert sorted(file.name for file in run.files) == ["A.txt", "Größe & more.txt", "a.txt", "b.txt"]
        assert run.json()["successful_files"] == 4, run.files
        delivered = [item["Key"] for item in boto.list_objects_v2(Bucket="documents", Prefix="out/")["Contents"]]
        assert len(delivered) == 4
        said = run.page() + str(run.json()) + embedded_fleet.log("file_processing") + embedded_fleet.log("general")
        assert SECRET not in said
