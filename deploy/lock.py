"""Pins the complete closure without naming an index: ``make lock``.

Writes ``[tool.uv] constraint-dependencies`` of the root ``pyproject.toml`` (what ``uv sync`` follows in a checkout)
and ``deploy/requirements.txt`` (with hashes, what images install). ``uv.lock`` names the index it was made with, so
it is not tracked. ``--upgrade`` drops the present pins first.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
REQUIREMENTS = ROOT / "deploy" / "requirements.txt"
PINS = re.compile(r"^constraint-dependencies = \[\n.*?^\]\n", re.MULTILINE | re.DOTALL)
EXPORT = ("export", "--quiet", "--format", "requirements.txt", "--no-header", "--no-annotate", "--no-emit-workspace")


def main() -> None:
    """Resolve, write the pins, resolve again under them, export the hashed list."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="drop the present pins first")
    upgrade = parser.parse_args().upgrade
    if upgrade:
        PROJECT.write_text(PINS.sub("", PROJECT.read_text(encoding="utf-8")), encoding="utf-8")
    uv("lock", *(["--upgrade"] if upgrade else []))
    pins = uv(*EXPORT, "--no-hashes", "--all-packages", "--all-groups", "--all-extras").splitlines()
    write_pins(sorted({pin.strip() for pin in pins if pin.strip()}, key=str.lower))
    uv("lock")
    hashed = uv(*EXPORT, "--all-packages", "--all-extras", "--no-dev")
    if "://" in hashed:
        sys.exit("deploy/lock.py: the export names an address; install every package from an index")
    REQUIREMENTS.write_text(hashed, encoding="utf-8")
    sys.stdout.write(f"{len(pins)} packages pinned in pyproject.toml; {REQUIREMENTS.relative_to(ROOT)} written\n")


def uv(*arguments: str) -> str:
    """Run uv in the project and return what it prints; its failure ends the script."""
    result = subprocess.run(
        [os.environ.get("UV", "uv"), *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"deploy/lock.py: uv {arguments[0]} failed")
    return result.stdout


def write_pins(pins: list[str]) -> None:
    """Put the pins into the table ``[tool.uv]``, in place of the old ones."""
    block = "constraint-dependencies = [\n" + "".join(f"    {toml_string(pin)},\n" for pin in pins) + "]\n"
    text = PINS.sub("", PROJECT.read_text(encoding="utf-8"))
    PROJECT.write_text(text.replace("[tool.uv]\n", f"[tool.uv]\n{block}", 1), encoding="utf-8")


def toml_string(text: str) -> str:
    """A basic TOML string; markers hold single quotes, never anything that needs more than this."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    main()
