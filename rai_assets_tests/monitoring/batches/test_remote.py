"""Inboxes in S3 and on a branch of the store: what is seen there, and that it is taken whole."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from rai_assets.errors import RaiError
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.intake import Spool, look
from rai_assets.monitoring.batches.named import Naming, is_table
from rai_assets.monitoring.batches.remote import BranchInbox, S3Inbox
from rai_assets.monitoring.resource import s3_client
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet

MODIFIED = "2026-01-05T13:00:00.000Z"


class Bucket(BaseHTTPRequestHandler):
    """ListObjectsV2, two keys a page, and GetObject of one bucket."""

    objects: dict[str, bytes] = {}  # noqa: RUF012  the class is made anew for every server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if bucket != "landing":
            self.answer(404, b"<Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>", {})
        elif not key:
            self.answer(200, self.listing(parse_qs(parts.query)), {})
        elif key not in self.objects:
            self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>", {})
        else:
            body = self.objects[key]
            headers = {"ETag": etag(body), "Last-Modified": "Mon, 05 Jan 2026 13:00:00 GMT"}
            self.answer(200, body, headers)

    def listing(self, query: dict[str, list[str]]) -> bytes:
        after = query.get("continuation-token", [""])[0]
        keys = sorted(key for key in self.objects if key.startswith(query["prefix"][0]) and key > after)
        page, more = keys[:2], len(keys) > 2
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{MODIFIED}</LastModified>"
            f"<ETag>{escape(etag(self.objects[key]))}</ETag><Size>{len(self.objects[key])}</Size></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        truncated = str(more).lower()
        return f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}{items}</ListBucketResult>".encode()

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server of one bucket, `landing`: its address and its objects."""
    handler = type("Landing", (Bucket,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield f"http://127.0.0.1:{server.server_port}", handler.objects  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_objects_of_a_bucket_are_found_page_by_page_and_copied(
    s3: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    endpoint, objects = s3
    objects.update({f"in/{name}.csv": name.encode() for name in ("a", "b", "c", "d e")})
    objects |= {"in/_SUCCESS": b"", "in/x/.hidden": b"", "elsewhere.csv": b"z"}
    inbox = S3Inbox("s3://landing/in", lambda: s3_client(endpoint))
    found = {item.path: item for item in inbox.look()}
    assert sorted(found) == ["a.csv", "b.csv", "c.csv", "d e.csv"]
    assert found["a.csv"].modified == 1_767_618_000.0
    copied = inbox.copy("d e.csv", tmp_path / "copy")
    assert copied is not None
    assert copied.found == found["d e.csv"]
    assert copied.sha256 == hashlib.sha256(b"d e").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b"d e"
    objects["in/a.csv"] = b"other"
    assert inbox.copy("a.csv", tmp_path / "copy").found.stamp != found["a.csv"].stamp  # type: ignore[union-attr]
    assert inbox.copy("gone.csv", tmp_path / "copy") is None


def test_a_table_in_a_bucket_is_taken_with_the_pictures_that_it_names(
    s3: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    endpoint, objects = s3
    objects |= {"in/week.csv": b"p/a.png ../b.png p/c.png", "in/p/a.png": b"a", "b.png": b"b", "in/p/z.png": b"z"}
    inbox, spool = S3Inbox("s3://landing/in", lambda: s3_client(endpoint)), Spool(tmp_path / "taken")
    naming = Naming(
        lambda path: is_table(path, None),
        lambda _, digest, keys: {key: (tmp_path / "taken" / digest).read_text().split() for key in keys},
        settle=30,
    )
    with Arrivals(tmp_path / "arrivals.sqlite") as arrivals:
        look(inbox, arrivals, spool, lambda *_: ["week"], settle=30, limit=9, naming=naming)
        assert [item.path for item in arrivals.sources("week")] == ["week.csv", "p/a.png"]
        objects["in/p/c.png"] = b"it comes later"
        looked = look(inbox, arrivals, spool, lambda *_: ["week"], settle=30, limit=9, naming=naming)
        assert looked.taken == {"p/c.png": "new"}
        assert [item.path for item in arrivals.sources("week")] == ["week.csv", "p/a.png", "p/c.png"]


def test_a_bucket_that_cannot_be_read_says_so(s3: tuple[str, dict[str, bytes]]) -> None:
    endpoint, _ = s3
    for place, address in (("s3://other/in", endpoint), ("s3://landing/in", "http://127.0.0.1:9")):
        with pytest.raises(RaiError, match=r"the inbox cannot be read") as refused:
            list(S3Inbox(place, lambda address=address: s3_client(address)).look())
        assert "secret" not in str(refused.value)


def test_files_that_others_commit_to_a_branch_are_found_and_copied(tmp_path: Path) -> None:
    repository = open_repository(tmp_path / "home", "landing")
    repository.create_branch("incoming", "main")
    repository.commit(
        "incoming", ChangeSet().put("in/a.csv", b"one").put("in/b.csv.part", b"x").put("c.csv", b"y"), "1"
    )
    inbox = BranchInbox(repository, "incoming", "in/")
    (found,) = inbox.look()
    assert (found.path, found.size, found.stamp) == ("a.csv", 3, hashlib.sha256(b"one").hexdigest())
    copied = inbox.copy("a.csv", tmp_path / "copy")
    assert copied is not None
    assert copied.found == found
    repository.commit("incoming", ChangeSet().put("in/a.csv", b"two"), "2")
    (corrected,) = inbox.look()
    assert corrected.stamp != found.stamp
    with pytest.raises(RaiError, match="no such inbox"):
        list(BranchInbox(repository, "nowhere", "").look())
