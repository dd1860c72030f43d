"""Targets of notifications on the loopback: a web server and a mail server that keep what they get."""

from __future__ import annotations

import http.server
import socketserver
import threading
from collections.abc import Callable
from typing import Any


class Sink:
    """An HTTP server that keeps what it gets and answers what ``answer`` says."""

    def __init__(self, port: int = 0) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.lock = threading.Lock()
        self.answer: Callable[[Any], None] = lambda handler: handler.reply(200)
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with sink.lock:
                    self.number = len(sink.got)
                    sink.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                    sink.statuses.append(0)
                sink.answer(self)

            def reply(self, status: int, **headers: str) -> None:
                sink.statuses[self.number] = status
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Mailbox(socketserver.ThreadingTCPServer):
    """As much of an SMTP server as a client needs; refuses recipients that begin with ``no``."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.refusal = b"550 no such person"
        box = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 sink\r\n")
                people: list[str] = []
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        content = b""
                        while (line := self.rfile.readline()) != b".\r\n":
                            content += line
                        box.mails.append((people, content))
                        self.wfile.write(b"250 taken\r\n")
                    elif word == b"RCPT":
                        person = line.decode().partition("<")[2].partition(">")[0]
                        if person.startswith("no"):
                            self.wfile.write(box.refusal + b"\r\n")
                        else:
                            people.append(person)
                            self.wfile.write(b"250 ok\r\n")
                    elif word == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
