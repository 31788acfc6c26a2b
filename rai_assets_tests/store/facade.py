"""A server that answers as lakeFS does, on top of the embedded engine: statuses, messages, pages and streams.

It knows the calls that the lakeFS engine makes, as a real server was seen to answer them, and nothing else. The next
answers can be set beforehand, to see what the engine makes of a server in trouble.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from rai_assets.store.embedded import EmbeddedRepository
from rai_assets_tests.store.facade_answers import ROUTES, STATUSES
from rai_assets_tests.store.facade_request import Answer, Request, Shelf
from rai_assets_tests.store.lakefs_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY


class Facade:
    """The server; it listens from its making to `stop`.

    Args:
        folder: For its repositories.

    Attributes:
        version: What it says it is.
        troubles: Answers (status, message) that it gives instead of its own, one per request, oldest first; a status
            of 0 closes the connection without a word, after doing what was asked if the message is `done`.
        ambush: Method, part of a path, and the answer to the next request that has both; with the same meaning.
        slow: Method, part of a path, and the seconds after which the next request that has both is answered; what it
            asks for is done at once.
        root: The folder of the embedded repositories.
    """

    def __init__(self, folder: Path) -> None:
        self.version = "1.84.0"
        self.troubles: deque[tuple[int, str]] = deque()
        self.ambush: tuple[str, str, tuple[int, str]] | None = None
        self.slow: tuple[str, str, float] | None = None
        self.shelves: dict[str, Shelf] = {}
        self.root = folder
        self._lock = threading.Lock()
        handler = type("Bound", (Handler,), {"facade": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def trouble(self, method: str, path: str) -> tuple[int, str] | None:
        """The answer that was set for this request."""
        with self._lock:
            if self.ambush and self.ambush[0] == method and self.ambush[1] in path:
                trouble, self.ambush = self.ambush[2], None
                return trouble
            return self.troubles.popleft() if self.troubles else None

    def delay(self, method: str, path: str) -> float:
        """The seconds that were set for the answer to this request."""
        with self._lock:
            if self.slow is None or self.slow[0] != method or self.slow[1] not in path:
                return 0.0
            seconds, self.slow = self.slow[2], None
            return seconds

    def create(self, name: str) -> None:
        with self._lock:
            if name in self.shelves:
                raise Answer(409, "repository already exists: not unique")
            root = self.root / name
            root.mkdir(parents=True)
            EmbeddedRepository.create(root)
            uploads = self.root / f"{name}.uploads"
            uploads.mkdir()
            self.shelves[name] = Shelf(EmbeddedRepository(root), uploads)


STORAGE = {
    "blockstore_type": "local",
    "blockstore_namespace_example": "local://example/",
    "blockstore_namespace_validity_regex": "^local://",
    "default_namespace_prefix": "local://",
    "pre_sign_support": False,
    "pre_sign_support_ui": False,
    "import_support": False,
    "import_validity_regex": "^local://",
}
KEY = "Basic " + base64.b64encode(f"{ACCESS_KEY_ID}:{SECRET_ACCESS_KEY}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    """HTTP itself: bodies in pieces, routes, errors as statuses."""

    facade: Facade
    protocol_version = "HTTP/1.1"
    # Else every answer waits 40 ms for the acknowledgement of its first line.
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_one(self) -> None:
        address = urlsplit(self.path)
        body = Body(self)
        trouble = self.facade.trouble(self.command, address.path)
        if trouble and trouble != (0, "done"):
            answer: Any = Answer(*trouble)
            status = answer.status
        else:
            status, answer = self.answer(address.path, address.query, body)
        body.drain()
        time.sleep(self.facade.delay(self.command, address.path))
        if trouble and trouble[0] == 0:
            self.close_connection = True
        elif hasattr(answer, "read"):
            self.stream(answer)
        else:
            self.say(status, answer)

    do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815

    def answer(self, path: str, query: str, body: BinaryIO) -> tuple[int, Any]:
        try:
            return self.routed(path.removeprefix("/api/v1"), query, body)
        except Answer as refusal:
            return refusal.status, refusal
        except Exception as fault:
            known = next((STATUSES[kind] for kind in STATUSES if isinstance(fault, kind)), (500, repr(fault)))
            return known[0], Answer(*known)

    def routed(self, path: str, query: str, body: BinaryIO) -> tuple[int, Any]:
        if self.headers.get("Authorization") != KEY:
            raise Answer(401, "error authenticating request")
        if path == "/config":
            return 200, {"version_config": {"version": self.facade.version}, "storage_config": STORAGE}
        if path == "/repositories":
            words = json.loads(body.read())
            self.facade.create(words["name"])
            return 201, {"creation_date": 0, "id": words["name"], "default_branch": "main", "storage_namespace": ""}
        _, _, name, *rest = path.split("/")
        shelf = self.facade.shelves.get(name)
        if shelf is None:
            raise Answer(404, "repository not found")
        inner = "".join(f"/{part}" for part in rest)
        for method, pattern, status, act in ROUTES:
            match = re.fullmatch(pattern, inner)
            if method == self.command and match:
                given = {key: values[0] for key, values in parse_qs(query, keep_blank_values=True).items()}
                request = Request(shelf, tuple(map(unquote, match.groups())), given, self.headers, body)
                return status, act(request)
        raise Answer(404, "invalid API endpoint")

    def say(self, status: int, answer: Any) -> None:
        said = {"message": str(answer)} if isinstance(answer, Answer) else answer
        text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(said, str) else "application/json")
        self.send_header("Content-Length", "0" if status == 204 else str(len(text)))
        self.end_headers()
        if status != 204:
            self.wfile.write(text)

    def stream(self, content: BinaryIO) -> None:
        with content:
            size = content.seek(0, 2)
            content.seek(0)
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            shutil.copyfileobj(content, self.wfile, 1 << 20)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Body:
    """The bytes of a request, with a length or in chunks."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._file = handler.rfile
        self._chunked = handler.headers.get("Transfer-Encoding") == "chunked"
        self._left = 0 if self._chunked else int(handler.headers.get("Content-Length") or 0)
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        parts = []
        while size and (part := self._some(size)):
            parts.append(part)
            size = size - len(part) if size > 0 else size
        return b"".join(parts)

    def drain(self) -> None:
        while self._some(1 << 20):
            pass

    def _some(self, size: int) -> bytes:
        if self._chunked and not self._left and not self._ended:
            self._left = int(self._file.readline(), 16)
            if not self._left:
                self._ended = True
                self._file.readline()
        part = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(part)
        if self._chunked and not self._left and not self._ended:
            self._file.readline()
        return part
