"""The signed post: what the receiver can check, and what is no success."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import time
from collections.abc import Iterable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from rai_assets.errors import RaiError, UsageError
from rai_assets.monitoring.alerts import webhook
from rai_assets.monitoring.alerts.addresses import Target
from rai_assets.monitoring.alerts.webhook import post, secret_key, signature
from rai_assets_tests.monitoring.alerts.conftest import NOON, event
from rai_assets_tests.monitoring.alerts.sinks import KEY, SECRET, Sink, certificate_of, http_sink, raw_sink


def test_the_signature_is_the_one_of_the_specification() -> None:
    # The example of the Standard Webhooks specification's reference libraries.
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "RAI_OPS_SECRET")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_receiver_can_check_who_sent_what_and_when(sink: Sink) -> None:
    post(sink.url, KEY, event().body(), NOON, "channel ops")
    (head,), (body,) = sink.heads, sink.bodies
    assert json.loads(body) == event().body()
    assert head["webhook-id"] == event().id
    assert head["webhook-timestamp"] == str(int(NOON))
    assert head["webhook-signature"] == signature(KEY, event().id, int(NOON), body)
    assert head["webhook-signature"] != signature(KEY, event().id, int(NOON), body + b" ")
    assert head["webhook-signature"] != signature(KEY, event().id, int(NOON) + 1, body)
    assert head["host"] == f"localhost:{sink.port}"
    assert head["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("place", "host"),
    [
        (Target("https", "example.org", 443, "/", "93.184.216.34"), "example.org"),
        (Target("https", "example.org", 80, "/", "93.184.216.34"), "example.org:80"),
        (Target("http", "example.org", 80, "/", "93.184.216.34"), "example.org"),
        (Target("https", "2001:db8::1", 8443, "/", "2001:db8::1"), "[2001:db8::1]:8443"),
    ],
)
def test_the_host_is_named_as_in_a_url(place: Target, host: str) -> None:
    assert webhook._host(place) == host


@pytest.mark.parametrize("status", [300, 302, 307, 401, 404, 410, 429, 500, 503])
def test_any_answer_but_2xx_is_a_failure_and_no_redirect_is_followed(sink: Sink, status: int) -> None:
    sink.answers = [status]
    with pytest.raises(RaiError, match=f"answered {status}"):
        post(sink.url, KEY, event().body(), NOON, "channel ops")
    assert len(sink.bodies) == 1


@pytest.mark.parametrize(
    ("name", "trusted", "taken"),
    [("localhost", True, True), ("localhost", False, False), ("elsewhere.example.org", True, False)],
)
def test_the_certificate_must_be_trusted_and_of_the_name_in_the_url(
    name: str, trusted: bool, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAI_ALERT_HOSTS", "localhost")
    certificate = certificate_of(name, tmp_path / "certificate.pem")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with http_sink(certificate=certificate) as safe:
        url = safe.url.replace("http:", "https:")
        if taken:
            post(url, KEY, event().body(), NOON, "channel ops")
        else:
            with pytest.raises(RaiError, match="no answer: SSLCertVerificationError"):
                post(url, KEY, event().body(), NOON, "channel ops")
    assert len(safe.bodies) == taken


def test_an_endpoint_that_is_away_or_says_nothing_is_a_failure(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.5)
    monkeypatch.setattr(webhook, "_LONGEST", 300.0)
    with socket.create_server(("localhost", 0)) as quiet:
        port = quiet.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(RaiError, match="no answer"):  # it takes the connection and never answers
            post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")
        assert time.monotonic() - began < 60
    with pytest.raises(RaiError, match="no answer"):
        post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")


@pytest.mark.parametrize(
    ("parts", "pause"),
    [
        (repeat(b"H"), 0.2),
        (chain([b"HTTP/1.1 500 No\r\n"], repeat(b"x: y\r\n")), 0.2),
        (repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), 0.0),
    ],
    ids=["a drop of the first line", "a header now and then", "continue, continue"],
)
def test_an_answer_that_never_comes_to_its_end_is_cut_off(
    sink: Sink, parts: Iterable[bytes], pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_LONGEST", 1.0)
    began = time.monotonic()
    with raw_sink(parts, pause) as port, pytest.raises(RaiError, match="no answer|answered 500"):
        post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 2000000 OK\r\n\r\n",
        b"\x00\xff\r\n\r\n",
    ],
    ids=["long header", "many headers", "long status", "no HTTP"],
)
def test_a_head_that_no_server_sends_is_a_failure(sink: Sink, head: bytes) -> None:
    with raw_sink([head]) as port, pytest.raises(RaiError, match="no answer"):
        post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")


@pytest.mark.parametrize("body", [repeat(b"x" * 65536), [gzip.compress(gzip.compress(bytes(50_000_000)))]])
def test_of_an_answer_only_the_status_is_read(sink: Sink, body: Iterable[bytes]) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\n\r\n"
    began = time.process_time()
    with raw_sink(chain([head], body)) as port:
        post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")
    assert time.process_time() - began < 1


def test_no_proxy_of_the_environment_is_asked(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://localhost:1")
    post(sink.url, KEY, event().body(), NOON, "channel ops")
    assert len(sink.bodies) == 1


def test_the_address_that_was_checked_is_called_and_the_name_looked_up_once(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAI_ALERT_HOSTS", "moved.example.org")
    asked, resolve = [], socket.getaddrinfo

    def resolver(host: str, *args: Any, **more: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if host == "moved.example.org" and len(asked) == 1 else host, *args, **more)

    monkeypatch.setattr("socket.getaddrinfo", resolver)
    post(sink.url.replace("localhost", "moved.example.org"), KEY, event().body(), NOON, "channel ops")
    assert sink.heads[0]["host"] == f"moved.example.org:{sink.port}"
    assert asked.count("moved.example.org") == 1


def test_a_path_in_any_language_is_sent_in_ascii(sink: Sink) -> None:
    post(sink.url.replace("hook", "größe%20"), KEY, event().body(), NOON, "channel ops")
    assert sink.paths == ["/gr%C3%B6%C3%9Fe%20?team=risk"]


def of_bytes(number: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(number))).decode()


@pytest.mark.parametrize("number", [24, 64])
def test_a_secret_has_24_to_64_bytes(number: int) -> None:
    assert secret_key(of_bytes(number), "RAI_OPS_SECRET") == bytes(range(number))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_%%%",
        SECRET.removeprefix("whsec_"),
        f"{SECRET[:10]}%{SECRET[10:]}",
        of_bytes(23),
        of_bytes(65),
    ],
)
def test_a_weak_secret_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        secret_key(text, "RAI_OPS_SECRET")
    assert "RAI_OPS_SECRET" in str(refused.value)
    assert "hunter2" not in str(refused.value)
