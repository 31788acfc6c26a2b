"""The signed post: what the receiver can check, and what is no success."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from rai_assets.errors import RaiError, UsageError
from rai_assets.monitoring.alerts.webhook import post, secret_key, signature
from rai_assets_tests.monitoring.alerts.conftest import KEY, NOON, SECRET, event
from rai_assets_tests.monitoring.alerts.sinks import Sink


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


@pytest.mark.parametrize("status", [302, 307, 401, 404, 410, 429, 500, 503])
def test_any_answer_but_2xx_is_a_failure_and_no_redirect_is_followed(sink: Sink, status: int) -> None:
    sink.answers = [status]
    with pytest.raises(RaiError, match=f"answered {status}"):
        post(sink.url, KEY, event().body(), NOON, "channel ops")
    assert len(sink.bodies) == 1


def test_an_endpoint_that_is_away_or_says_nothing_is_a_failure(sink: Sink) -> None:
    with socket.create_server(("localhost", 0)) as quiet:
        port = quiet.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(RaiError, match="no answer"):  # it takes the connection and never answers
            post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")
        assert time.monotonic() - began < 8
    with pytest.raises(RaiError, match="no answer"):
        post(f"http://localhost:{port}/", KEY, event().body(), NOON, "channel ops")


def test_an_endpoint_that_sends_without_end_does_not_hold_us(sink: Sink) -> None:
    def flood(server: socket.socket) -> None:
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            connection.close()

    with socket.create_server(("localhost", 0)) as server:
        threading.Thread(target=flood, args=(server,), daemon=True).start()
        post(f"http://localhost:{server.getsockname()[1]}/", KEY, event().body(), NOON, "channel ops")


@pytest.mark.parametrize(
    "text", ["", "hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", SECRET.removeprefix("whsec_")]
)
def test_a_weak_secret_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        secret_key(text, "RAI_OPS_SECRET")
    assert "RAI_OPS_SECRET" in str(refused.value)
    assert "hunter2" not in str(refused.value)
