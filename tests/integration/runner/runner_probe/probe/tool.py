"""A tool that misbehaves on request: what the runner has to survive."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from docfleet.core.errors import PasswordRequired
from docfleet.tools.protocol import OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult

MEGABYTE = 1024**2


def _sleeper(**options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], **options)


class Probe(Tool):
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        output = getattr(self, settings["do"])(settings["amount"], context)
        return ToolResult(output if output is not None else {"did": settings["do"]}, OutputType.JSON)

    def ok(self, amount: int, context: RunContext) -> dict[str, Any]:
        return {"size": context.input_path.stat().st_size, "pid": os.getpid()}

    def upper(self, amount: int, context: RunContext) -> dict[str, Any]:
        return {"text": context.input_path.read_text().upper()}

    def segv(self, amount: int, context: RunContext) -> None:
        ctypes.string_at(0)

    def abort(self, amount: int, context: RunContext) -> None:
        os.kill(os.getpid(), signal.SIGABRT)

    def leave(self, amount: int, context: RunContext) -> None:
        print("cannot read page seven", file=sys.stderr)
        sys.exit(amount)

    def password(self, amount: int, context: RunContext) -> None:
        raise PasswordRequired("password required: the PDF is encrypted")

    def hang(self, amount: int, context: RunContext) -> None:
        (context.folder / "HANGS").touch()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)

    def large(self, amount: int, context: RunContext) -> dict[str, Any]:
        return {"large": "x" * (amount * MEGABYTE - len('{"large": ""}'))}

    def slow(self, amount: int, context: RunContext) -> None:
        time.sleep(amount / 10)

    def pages(self, amount: int, context: RunContext) -> None:
        for page in range(amount):
            time.sleep(0.1)
            context.progress(page + 1, amount)

    def kill_parent(self, amount: int, context: RunContext) -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    def spin(self, amount: int, context: RunContext) -> None:
        while True:
            pass

    def eat(self, amount: int, context: RunContext) -> None:
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1)) * (8 * MEGABYTE))

    def eat_together(self, amount: int, context: RunContext) -> None:
        code = f"import time; x = b'x' * {amount}; time.sleep(300)"
        for _ in range(4):
            subprocess.Popen([sys.executable, "-c", code])
        time.sleep(300)

    def write_one(self, amount: int, context: RunContext) -> None:
        with (context.folder / "BIG").open("wb") as stream:
            for _ in range(amount):
                stream.write(b"x" * MEGABYTE)

    def write_many(self, amount: int, context: RunContext) -> None:
        for number in range(amount):
            (context.folder / f"PART-{number}").write_bytes(b"x" * MEGABYTE)
        time.sleep(300)

    def fork(self, amount: int, context: RunContext) -> None:
        for _ in range(amount):
            if os.fork() == 0:
                time.sleep(300)
                os._exit(0)
        time.sleep(300)

    def escape(self, amount: int, context: RunContext) -> dict[str, Any]:
        child = _sleeper(start_new_session=True)
        inside = subprocess.run(
            ["/bin/sh", "-c", "setsid sleep 300 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, check=True
        )
        return {"pids": [child.pid, int(inside.stdout)]}

    def leave_child(self, amount: int, context: RunContext) -> dict[str, Any]:
        return {"pids": [_sleeper().pid]}

    def chatter(self, amount: int, context: RunContext) -> None:
        sys.stdout.write(
            "\x00\xff{not json}\n" + '{"type": "RESULT"}\n' + '{"type": "LOG", "level": "ERROR", "log": "x"}\n'
        )
        sys.stdout.write("no newline at the end")

    def flood(self, amount: int, context: RunContext) -> None:
        line = "y" * 1000 + "\n"
        for _ in range(amount):
            sys.stdout.write(line * 1000)

    def flood_then_fail(self, amount: int, context: RunContext) -> None:
        self.flood(amount, context)
        raise PasswordRequired("password required: at the very end")

    def environment(self, amount: int, context: RunContext) -> dict[str, Any]:
        initial = Path("/proc/self/environ").read_bytes().decode().split("\0")
        return {
            "environment": dict(os.environ),
            "initial": initial,
            "cwd": os.getcwd(),
            "stdin": sys.stdin.read(),
            "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),
            "status": Path("/proc/self/status").read_text(),
            "limits": Path("/proc/self/limits").read_text(),
            "session": os.getsid(0) == os.getpid(),
        }

    def link(self, amount: int, context: RunContext) -> None:
        folder = context.folder / "COPY_TO_FOLDER"
        folder.mkdir(exist_ok=True)
        (folder / "passwords").symlink_to("/etc/passwd")

    def copy(self, amount: int, context: RunContext) -> None:
        context.copy_source("a bin", "größe")

    def rewrite(self, amount: int, context: RunContext) -> None:
        path = context.folder / "METADATA.json"
        path.write_text(path.read_text().replace('"org-1"', '"somebody-else"'))

    def lock_folder(self, amount: int, context: RunContext) -> None:
        deep = context.folder / "deep" / "exceeds_depth"
        deep.mkdir(parents=True)
        (deep / "file").touch()
        deep.chmod(0)

    def truncate_source(self, amount: int, context: RunContext) -> None:
        (context.folder / "SOURCE").write_bytes(b"")

    def threads(self, amount: int, context: RunContext) -> None:
        import threading

        workers = [threading.Thread(target=lambda: sum(range(10_000))) for _ in range(amount)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


class Silent(Probe):
    """Ends with 0 without the SDK having written a result."""

    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        kind = settings["do"]
        metadata = context.folder / "METADATA.json"
        if kind == "bad_json":
            (context.folder / "INFILE").write_text("{not json")
        if kind == "no_infile":
            (context.folder / "INFILE").unlink()
        if kind == "bad_metadata":
            metadata.write_text("[]")
        elif kind == "no_metadata":
            metadata.unlink()
        elif kind != "nothing":
            entry = '"tool_metadata":[{"tool_name":"silent","elapsed_time":1.0,"output_type":"JSON"}]'
            metadata.write_text(metadata.read_text().replace('"tool_metadata":[]', entry))
        os._exit(0)


tool = Probe(Path(__file__).parent / "config")
silent = Silent(Path(__file__).parent / "config")
