"""What a server in trouble, a wrong server and wrong settings are answered with; and what is tried again."""

from __future__ import annotations

import io
import shutil
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rai_assets.errors import RaiError, UsageError
from rai_assets.store import lakefs_connection
from rai_assets.store.lakefs import LakeFSRepository
from rai_assets.store.lakefs_opening import open_lakefs
from rai_assets.store.lakefs_settings import LakeFSSettings
from rai_assets.store.protocol import (
    AlreadyExists,
    BackendUnavailable,
    ChangeSet,
    DirtyBranch,
    HookRejected,
    NotFound,
    ProtectedBranch,
)
from rai_assets_tests.store.backends import FACADE, lakefs_settings
from rai_assets_tests.store.facade import Facade
from rai_assets_tests.store.lakefs_server import SECRET_ACCESS_KEY, free_port
from rai_assets_tests.store.saying import content, write


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch):
    """No waiting between the attempts."""
    monkeypatch.setattr(lakefs_connection, "_LONGEST_PAUSE", 0.01)
    lakefs_connection._connection.cache_clear()


@pytest.fixture
def settings(facade: Facade) -> LakeFSSettings:
    return lakefs_settings(FACADE)


@pytest.fixture
def lake(settings: LakeFSSettings, tmp_path: Path) -> LakeFSRepository:
    name = "rai-" + tmp_path.name.replace("_", "-").lower()[:50]
    return open_lakefs(settings, tmp_path / "home", name)


def refused(settings: LakeFSSettings, folder: Path) -> RaiError:
    with pytest.raises(RaiError) as refusal:
        open_lakefs(settings, folder, "rai-some")
    assert SECRET_ACCESS_KEY not in str(refusal.value) + repr(refusal.value)
    return refusal.value


def test_nobody_answers(settings: LakeFSSettings, tmp_path: Path):
    endpoint = f"http://127.0.0.1:{free_port()}"
    fault = refused(replace(settings, endpoint=endpoint), tmp_path)
    assert isinstance(fault, BackendUnavailable)
    assert fault.where == endpoint
    assert "start the server, or correct RAI_STORE" in str(fault)


def test_no_such_host(settings: LakeFSSettings, tmp_path: Path):
    fault = refused(replace(settings, endpoint="http://no-such-host.invalid:8000"), tmp_path)
    assert "no host of this name" in str(fault)
    assert "no-such-host.invalid" in fault.where


def test_wrong_credentials(settings: LakeFSSettings, tmp_path: Path):
    fault = refused(replace(settings, secret_access_key="wrong"), tmp_path)
    assert "does not know these credentials" in str(fault)
    assert "RAI_LAKEFS_SECRET_ACCESS_KEY" in fault.fix


@pytest.mark.parametrize("version", ["1.74.9", "v0.104.0"])
def test_an_old_server(facade: Facade, settings: LakeFSSettings, tmp_path: Path, version: str):
    facade.version = version
    try:
        fault = refused(settings, tmp_path)
    finally:
        facade.version = "1.84.0"
    assert f"too old: {version}" in str(fault)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>a page</html>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def secure_page(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server with a certificate that no authority knows, and the file of that certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("no `openssl` executable, to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", certificate
    server.shutdown()
    server.server_close()


def test_a_certificate_that_nobody_vouches_for(settings: LakeFSSettings, secure_page: tuple[str, Path], tmp_path: Path):
    endpoint, certificate = secure_page
    fault = refused(replace(settings, endpoint=endpoint), tmp_path)
    assert "certificate is not trusted" in str(fault)
    assert "RAI_LAKEFS_CA_FILE" in fault.fix
    # With it the answer is heard, and is no answer of lakeFS.
    fault = refused(replace(settings, endpoint=endpoint, ca_file=certificate), tmp_path)
    assert "it is not lakeFS" in str(fault)


def test_a_repository_of_something_else(
    lake: LakeFSRepository, facade: Facade, settings: LakeFSSettings, tmp_path: Path
):
    facade.shelves[lake.repository].metadata.clear()
    # An empty one may have been made ahead for us.
    open_lakefs(settings, tmp_path, lake.repository)
    facade.shelves[lake.repository].metadata.clear()
    write(lake, "main", {"a": "1"})
    with pytest.raises(UsageError, match="belongs to something else"):
        open_lakefs(settings, tmp_path, lake.repository)
    facade.shelves[lake.repository].metadata["rai-assets"] = "2"
    with pytest.raises(UsageError, match="newer version"):
        open_lakefs(settings, tmp_path, lake.repository)


def test_a_repository_that_is_not_there_is_not_made_by_reading(settings: LakeFSSettings, tmp_path: Path):
    with pytest.raises(NotFound, match="there is no repository 'rai-nowhere'"):
        open_lakefs(settings, tmp_path, "rai-nowhere", create=False)


@pytest.mark.parametrize(
    ("status", "message"),
    [(429, "Too many attempts, try again later"), (503, "later"), (500, "predicate failed"), (0, "")],
)
def test_what_passes_is_tried_again(lake: LakeFSRepository, facade: Facade, status: int, message: str):
    facade.troubles.extend([(status, message)] * 3)
    assert list(lake.branches()) == ["main"]
    assert not facade.troubles


def test_patience_ends(lake: LakeFSRepository, facade: Facade):
    facade.troubles.extend([(429, "Too many attempts, try again later")] * 7)
    with pytest.raises(BackendUnavailable, match="too busy") as fault:
        lake.branches()
    assert fault.value.retryable
    assert not facade.troubles


@pytest.mark.parametrize(
    ("status", "message", "kind", "said"),
    [
        (500, "required value: validation error", BackendUnavailable, "answered 500"),
        (403, "read-only repository", BackendUnavailable, "read-only"),
        (403, "cannot write to protected branch", ProtectedBranch, "protects"),
        (403, "insufficient permissions", BackendUnavailable, "may not"),
        (404, "branch not found", NotFound, "there is no"),
        (410, "No data", BackendUnavailable, "gone from lakeFS's storage"),
        (409, "branch already exists: not unique", AlreadyExists, "is taken"),
    ],
)
def test_what_does_not_pass_is_said_at_once(
    lake: LakeFSRepository, facade: Facade, status: int, message: str, kind: type[RaiError], said: str
):
    facade.troubles.append((status, message))
    with pytest.raises(kind, match=said):
        lake.branches()


def test_a_hook_of_the_server_refuses_a_merge(lake: LakeFSRepository, facade: Facade):
    lake.create_branch("work", "main")
    write(lake, "work", {"a": "1"})
    said = "update branch main: pre-merge hook aborted, run id 'k3j2': 1 error occurred"
    refusing(facade, "POST", "/merge/", (412, said))
    with pytest.raises(HookRejected, match="pre-merge hook aborted") as refusal:
        lake.merge("work", "main")
    assert refusal.value.run_id == "k3j2"


def test_somebody_elses_uncommitted_changes(lake: LakeFSRepository, facade: Facade):
    """Case 23."""
    lake.create_branch("work", "main")
    write(lake, "work", {"a": "1"})
    lake.connection.upload(lake.repository, "main", "loose", b"1", "text/plain", {})
    with pytest.raises(DirtyBranch, match="uncommitted changes"):
        lake.merge("work", "main")


def refusing(facade: Facade, method: str, part: str, trouble: tuple[int, str]) -> None:
    """The next request of this kind gets this answer; those before it get their own."""
    facade.ambush = (method, part, trouble)


@pytest.mark.parametrize("heard", ["done", ""])
@pytest.mark.parametrize("squash", [False, True])
def test_a_merge_whose_answer_is_lost_is_made_once(lake: LakeFSRepository, facade: Facade, heard: str, squash: bool):
    lake.create_branch("work", "main")
    write(lake, "work", {"a": "1"})
    before = lake.resolve("main")
    refusing(facade, "POST", "/merge/", (0, heard))
    made = lake.merge("work", "main", "once", squash=squash).commit
    assert [commit.id for commit in lake.log("main", first_parent=True)][:2] == [made.id, before]


@pytest.mark.parametrize("heard", ["done", ""])
@pytest.mark.parametrize("step", ["/commits", "/merge/", "/objects", "/branches"])
def test_a_commit_of_which_an_answer_is_lost_is_made_once(
    lake: LakeFSRepository, facade: Facade, heard: str, step: str
):
    before = write(lake, "main", {"old": "1"}).id
    refusing(facade, "POST", step, (0, heard))
    made = write(lake, "main", {"a": "1"})
    assert made.parents == (before,)
    assert content(lake, "main") == {"old": "1", "a": "1"}
    assert lake.resolve("main") == made.id


def test_a_revert_whose_answer_is_lost_is_made_once(lake: LakeFSRepository, facade: Facade):
    bad = write(lake, "main", {"a": "1"}).id
    refusing(facade, "POST", "/revert", (0, "done"))
    made = lake.revert("main", bad)
    assert made.parents == (bad,)
    assert lake.resolve("main") == made.id


@pytest.mark.parametrize("seconds", [0.8, pytest.param(30.0, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("patience", [3.0, 0.5], ids=["waited for", "looked up"])
def test_a_merge_that_is_answered_late_is_made_once(
    settings: LakeFSSettings, facade: Facade, tmp_path: Path, seconds: float, patience: float
):
    """Within the time-out its answer is taken; beyond it, the log tells by the nonce that it was made."""
    timeout = seconds * patience
    lake = open_lakefs(replace(settings, timeout=timeout), tmp_path / "home", f"rai-{uuid.uuid4().hex}")
    lake.create_branch("work", "main")
    write(lake, "work", {"a": "1"})
    before = lake.resolve("main")
    facade.slow = ("POST", "/merge/", seconds)
    began = time.monotonic()
    made = lake.merge("work", "main", "once").commit
    assert time.monotonic() - began > min(seconds, timeout)
    assert facade.slow is None
    assert [commit.id for commit in lake.log("main", first_parent=True)][:2] == [made.id, before]
    assert content(lake, "main") == {"a": "1"}


def test_damaged_bytes_are_not_given_out(lake: LakeFSRepository, facade: Facade, tmp_path: Path):
    write(lake, "main", {"a": "what was stored"})
    (blob,) = [path for path in (facade.root / lake.repository / "objects").rglob("*") if path.is_file()]
    blob.chmod(0o644)
    blob.write_bytes(b"what is there!!")
    with pytest.raises(BackendUnavailable, match="does not have the digest"):
        lake.open("main", "a")
    with pytest.raises(BackendUnavailable, match="does not have the digest"):
        lake.download("main", "a", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_dead_writers_branch_is_hidden_and_swept(lake: LakeFSRepository):
    name = f"tx-{0x60000000:x}-{'0' * 32}"
    words = lake.connection.models.BranchCreation(name=name, source="main", hidden=True)
    lake.connection.api.branches_api.create_branch(lake.repository, words)
    assert list(lake.branches()) == ["main"]
    assert lake.collect_garbage(timedelta(days=1)).leftovers == 1
    assert lake.collect_garbage(timedelta(days=1)).leftovers == 0


def test_a_listening_port_that_never_answers(settings: LakeFSSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lakefs_connection, "_ATTEMPTS", 2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        endpoint = f"http://127.0.0.1:{mute.getsockname()[1]}"
        fault = refused(replace(settings, endpoint=endpoint, timeout=0.2), tmp_path)
    assert "stopped answering" in str(fault)
    assert "RAI_LAKEFS_TIMEOUT" in fault.fix


def test_an_upload_may_take_longer_than_any_answer(lake: LakeFSRepository, monkeypatch: pytest.MonkeyPatch):
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            time.sleep(0.2)
            return super().read(size)

    monkeypatch.setattr(lakefs_connection, "_CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(lake.connection, "settings", replace(lake.connection.settings, timeout=0.5))
    lake.commit("main", ChangeSet().put("big", Slow(bytes(5 << 20))), "m")
    assert lake.stat("main", "big").size == 5 << 20


def test_repeated_text_says_nothing_secret(lake: LakeFSRepository):
    assert SECRET_ACCESS_KEY not in repr(lake) + repr(lake.connection) + repr(vars(lake))
    lake.commit("main", ChangeSet().put("a", b"1"), "m", {"run_id": "7"})
    assert lake.get_commit("main").metadata == {"run_id": "7"}
