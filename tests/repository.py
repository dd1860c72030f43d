"""Where the repository is, and the real documents that some tests read."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("DOCFLEET_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
