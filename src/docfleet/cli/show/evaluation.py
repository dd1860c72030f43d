"""An evaluation on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from docfleet.cli.evaluation.report import Evaluation, Figures
from docfleet.cli.show.summary import plain

WORST = 5


def show(console: Console, result: Evaluation, before: Evaluation | None = None) -> None:
    """The figures, a line a field, and the worst documents; with ``before`` the change of each F1."""
    total = result.total
    grounded = "" if total.grounded is None else f", {total.grounded:.1%} grounded"
    console.print(
        f"{plain(result.workflow)}: F1 {total.f1:.1%}{_change(total, before.total if before else None)}, precision "
        f"{_share(total.precision)}, recall {total.recall:.1%}{grounded}, {total.cpu_seconds:.2f} s CPU a document",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(f"  {total.documents} labelled documents, {total.failed} failed", markup=False, highlight=False)
    for text, paths in (("documents have no label", result.unlabelled), ("labels have no document", result.not_read)):
        if paths:
            console.print(f"  {len(paths)} {text}, such as {plain(paths[0])}", markup=False, highlight=False)
    table = Table("field", "F1", "precision", "recall")
    for name, figures in result.fields.items():
        change = _change(figures, before.fields.get(name) if before else None)
        table.add_row(plain(name), f"{figures.f1:.1%}{change}", _share(figures.precision), f"{figures.recall:.1%}")
    console.print(table)
    worst = [document for document in result.documents if document.f1 < 1][:WORST]
    if worst:
        console.print("Worst documents", style="bold")
    for document in worst:
        console.print(
            f"  {document.f1:>6.1%}  {plain(document.document)}  {plain(document.error)}".rstrip(),
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _change(now: Figures, then: Figures | None) -> str:
    return "" if then is None else f" ({100 * (now.f1 - then.f1):+.1f})"
