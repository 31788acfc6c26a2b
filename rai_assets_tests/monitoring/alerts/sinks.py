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
from datetime import UTC, datetime, timedelta
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


def certificate_of(name: str, path: Path) -> Path:
    """A certificate that vouches for itself, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + plain)
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


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
            server.socket = server_context(certificate).wrap_socket(server.socket, server_side=True)
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
def mail_sink(certificate: Path | None = None, *, at_once: bool = False) -> Iterator[Sink]:
    """A mail server; with a certificate it speaks TLS when it is asked to (STARTTLS), or at once."""
    sink = Sink()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if certificate is not None and at_once:
                    self.encrypt(certificate)
                self.say("220 sink")
                while self.answers():
                    pass

        def encrypt(self, certificate: Path) -> None:
            self.request = server_context(certificate).wrap_socket(self.request, server_side=True)
            self.setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()  # a wrapped one; the server knows only the plain one

        def answers(self) -> bool:
            """Until the end, or until the line is encrypted: then once more."""
            for line in self.rfile:
                word = line.strip().upper()
                if certificate is not None and word.startswith(b"EHLO"):
                    self.say("250-sink\r\n250 STARTTLS")
                    continue
                if certificate is not None and word == b"STARTTLS":
                    self.say("220 go on")
                    self.encrypt(certificate)
                    return True
                if word == b"DATA":
                    self.say("354 go on")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    sink.bodies.append(body)
                unknown = any(line.lower().startswith(f"rcpt to:<{address}>".encode()) for address in sink.refused)
                self.say("550 unknown" if unknown else "221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    break
            return False

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
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
