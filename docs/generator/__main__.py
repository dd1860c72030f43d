"""``python -m docs.generator``: write the pages of `docs/reference/`, and the table of settings of the core."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from docfleet.core.logs import configure_logging
from docs.generator import (
    commands,
    connectors,
    errors,
    formats,
    http_api,
    log_events,
    metrics,
    queues,
    setting_names,
    settings,
)

FOLDER = Path(__file__).resolve().parents[1] / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.render,
    "connectors.md": connectors.render,
    "errors.md": errors.render,
    "exit-codes.md": commands.render_exit_codes,
    "formats.md": formats.render,
    "http-api.md": http_api.render,
    "log-events.md": log_events.render,
    "metrics.md": metrics.render,
    "queues-and-tasks.md": queues.render,
    "settings.md": settings.render,
}


def main() -> None:
    """Write the files that have changed, and print their names."""
    configure_logging("ERROR", "console")
    FOLDER.mkdir(exist_ok=True)
    written = {FOLDER / name: render for name, render in PAGES.items()} | {setting_names.PATH: setting_names.render}
    for path, render in written.items():
        text = render()
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
