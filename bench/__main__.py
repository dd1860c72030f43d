"""Measure: a table on standard output, ``bench/results.json`` beside this file.

    python -m bench [--only NAME]... [--short]

NAME is a family: startup, throughput, calls, api, stop, logs, documents, memory, recovery, fairness. ``--short`` takes
fewer and smaller runs and records it in the results. The exit code is 0 when everything was measured, whatever the
figures are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import api, calls, documents, fairness, logs, memory, recovery, startup, stop, throughput
from bench.figures import Figure, Report

FAMILIES: dict[str, Callable[..., Report]] = {
    "startup": startup.measure,
    "throughput": throughput.measure,
    "calls": calls.measure,
    "api": api.measure,
    "stop": stop.measure,
    "logs": logs.measure,
    "documents": documents.measure,
    "memory": memory.measure,
    "recovery": recovery.measure,
    "fairness": fairness.measure,
}
BUSY = 0.5
"""The load per processor above which wall times are not reliable."""
RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Measure the requested families and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Docfleet on this machine.")
    parser.add_argument("--only", action="append", choices=list(FAMILIES), help="this family; may be repeated")
    parser.add_argument("--short", action="store_true", help="fewer and smaller runs")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 180, highlight=False)
    figures: list[Figure] = []
    failed = False
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    console.print(f"load average {load:.1f} on {processors} processors", markup=False)
    if load > BUSY * processors:
        console.print("the machine is busy with something else: seconds and ratios of seconds mean little")
    for name in options.only or FAMILIES:
        started = time.monotonic()
        try:
            report = FAMILIES[name](short=options.short)
        except Exception as error:
            console.print(f"{name}: not measured: {type(error).__name__}: {error}", style="red", markup=False)
            failed = True
            continue
        if report.skipped:
            console.print(f"{name}: skipped: {report.skipped}", markup=False)
        console.print(f"{name} ({time.monotonic() - started:.0f} s)", style="bold", markup=False)
        for line in report.details:
            console.print(f"  {line}", style="dim", markup=False, soft_wrap=True)
        figures += report.figures
    console.print(_table(figures))
    _write(figures, short=options.short)
    console.print(f"written: {RESULTS}", markup=False, soft_wrap=True)
    return int(failed)


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Docfleet, measured here")
    for column in ("figure", "value", "", "target", "met", "original", "what"):
        table.add_column(column, justify="right" if column == "value" else "left", no_wrap=column == "figure")
    for figure in figures:
        met = {True: "yes", False: "[red]NO[/red]", None: ""}[figure.is_met]
        value = f"{figure.value:.2f}" if figure.value < 100 else f"{figure.value:.0f}"
        table.add_row(figure.key, value, figure.unit, figure.target, met, figure.original, figure.note)
    return table


def _write(figures: list[Figure], *, short: bool) -> None:
    """Flat keys; families that were not measured this time keep the figures of an earlier run of the same kind."""
    try:
        results = json.loads(RESULTS.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        results = {}
    if results.get("short") != short:
        results = {}
    results |= {"short": short} | {figure.key: round(figure.value, 4) for figure in figures}
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
