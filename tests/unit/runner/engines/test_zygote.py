"""What a zygote imports."""

from __future__ import annotations

import subprocess
import sys


def test_a_zygote_stays_light() -> None:
    code = "import docfleet.runner.engines.zygote, sys; print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"litestar", "uvicorn", "uvloop", "asyncio", "structlog", "yaml", "jsonschema", "pypdfium2", "numpy"}
    assert not heavy & {module.split(".")[0] for module in modules}
