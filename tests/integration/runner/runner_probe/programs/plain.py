"""A tool in Python that does not use the SDK; it is executed as a program."""

import json
import os
import sys
from pathlib import Path

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
command = arguments["--command"]
if command != "RUN":
    content = {"SPEC": {"type": "object"}, "PROPERTIES": {"functionName": "plain"}, "VARIABLES": {}}.get(command)
    value = "<svg/>" if command == "ICON" else json.dumps(content)
    print(json.dumps({"type": command, command.lower(): value}))
    sys.exit(0)
settings = json.loads(arguments["--settings"])
folder = Path(os.environ["EXECUTION_DATA_DIR"])
if settings.get("do") == "eat":
    kept = []
    while True:
        kept.append(b"x" * 8_000_000)
if settings.get("do") == "write":
    with (folder / "BIG").open("wb") as stream:
        while True:
            stream.write(b"x" * 1024**2)
metadata = json.loads((folder / "METADATA.json").read_text())
(folder / "INFILE").write_text(json.dumps({"environment": dict(os.environ), "settings": settings}))
metadata["tool_metadata"].append({"tool_name": "plain", "elapsed_time": 0.5, "output_type": "JSON"})
(folder / "METADATA.json").write_text(json.dumps(metadata))
