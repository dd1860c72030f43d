"""One HTML page about an evaluation, without anything from elsewhere."""

from __future__ import annotations

from pathlib import Path

from docfleet.cli.evaluation.report import Evaluation

MOST_DOCUMENTS = 50
MOST_MISMATCHES = 40


def page(evaluation: Evaluation, before: Evaluation | None = None) -> str:
    """The page; with ``before`` it shows what changed."""
    from jinja2 import Environment

    source = Path(__file__).with_name("page.html").read_text("utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    return template.render(
        evaluation=evaluation,
        before=before,
        before_documents={document.document: document.f1 for document in before.documents} if before else {},
        worst=evaluation.documents[:MOST_DOCUMENTS],
        most_mismatches=MOST_MISMATCHES,
    )
