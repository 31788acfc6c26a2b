"""Receivers in this process: an HTTP endpoint and a mail server that keep what they are sent."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
"""The key, as an administrator writes it."""


@dataclass
class Sink:
    """What came in, and how it is answered."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    """Status of the next answers; 200 when there are no more."""
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Addresses that the mail server does not take."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hook?team=risk"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


@contextmanager
def http_sink(port: int = 0, certificate: Path | None = None) -> Iterator[Sink]:
    """An endpoint; with a certificate and its key in one file, it speaks TLS."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sink.paths.append(self.path)
            sink.heads.append({name.lower(): value for name, value in self.headers.items()})
            sink.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(sink.answers.pop(0) if sink.answers else 200)
            self.send_header("location", "http://localhost:1/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("localhost", port), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        with _at_work(server) as sink.port:
            yield sink


@contextmanager
def raw_sink(parts: Iterable[bytes], pause: float = 0.0) -> Iterator[int]:
    """A server that sends these bytes to whoever connects, with a pause after each; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.recv(65536)
                for part in parts:
                    self.request.sendall(part)
                    time.sleep(pause)

    with _tcp(Handler) as port:
        yield port


@contextmanager
def mail_sink() -> Iterator[Sink]:
    sink = Sink()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 sink")
            for line in self.rfile:
                word = line.strip().upper()
                if word == b"DATA":
                    self.say("354 go on")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    sink.bodies.append(body)
                unknown = any(line.lower().startswith(f"rcpt to:<{address}>".encode()) for address in sink.refused)
                self.say("550 unknown" if unknown else "221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with _tcp(Handler) as sink.port:
        yield sink


@contextmanager
def _tcp(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("localhost", 0), handler) as server:
        server.daemon_threads = True
        with _at_work(server) as port:
            yield port


@contextmanager
def _at_work(server: socketserver.TCPServer) -> Iterator[int]:
    """A server that answers on a thread of its own; yields its port."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
