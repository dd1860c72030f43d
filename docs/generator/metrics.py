"""`metrics.md`, from the metrics that the processes export to Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from docfleet.core.names import WorkerType
from docs.generator.applications import KEY, backend
from docs.generator.markdown import code, page, prose, table
from docs.generator.sources import defined


def of_backend() -> str:
    """The metrics of a new backend."""
    with backend() as app, TestClient(app) as client:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"})
        answer.raise_for_status()
        return answer.text


def of_worker() -> str:
    """The metrics of a new worker."""
    vitals = defined("Vitals")(["process_file_batch"], 1)
    text: bytes = defined("exposition")(WorkerType.FILE_PROCESSING.value, vitals, 0.0)
    return text.decode()


def rows(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Names, kind, labels and meaning of each family."""
    for family in text_string_to_metric_families(text):
        names = list(dict.fromkeys(sample.name for sample in family.samples if not sample.name.endswith("_created")))
        labels = list(dict.fromkeys(label for sample in family.samples for label in sample.labels))
        yield (
            ", ".join(map(code, names or [family.name])),
            family.type,
            ", ".join(map(code, labels)),
            family.documentation,
        )


def render() -> str:
    """The page."""
    head = ("metric", "kind", "labels", "meaning")
    return page(
        "Metrics",
        prose("[Watch](../howto/watch.md) names those to alert on. A counter begins at 0 with its process."),
        "## Backend",
        prose("`GET /metrics`, with the internal key."),
        table(head, rows(of_backend())),
        "## Workers",
        prose("`GET /metrics` on the health port of each worker, without a key."),
        table(head, rows(of_worker())),
    )
