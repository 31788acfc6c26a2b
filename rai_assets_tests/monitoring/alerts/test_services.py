"""Messaging services: only those whose host is fixed, and a failure is never taken for a success."""

from __future__ import annotations

import logging

import pytest

from rai_assets.errors import RaiError, UsageError
from rai_assets.monitoring.alerts.services import send
from rai_assets_tests.monitoring.alerts.conftest import event


@pytest.mark.parametrize(
    "url",
    ["json://127.0.0.1/", "xml://localhost", "mailto://user:hunter2@example.org", "syslog://", "workflows://h/w/s"],
)
def test_a_service_whose_host_is_in_the_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no service with an encrypted host of its own") as refused:
        send(event().body(), url, "RAI_CHAT_URL")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "hunter2", "file:///etc/passwd", "nosuch://hunter2"])
def test_what_no_service_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="no URL of a service") as refused:
        send(event().body(), url, "RAI_CHAT_URL")
    assert "hunter2" not in str(refused.value)


def test_a_service_that_cannot_be_reached_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")  # so that no test leaves this machine
    with pytest.raises(RaiError, match="Telegram did not take it") as fault:
        send(event().body(), "tgram://123456789:abcdefg_hijklmnop/12315544/", "RAI_CHAT_URL")
    assert "abcdefg" not in str(fault.value)


def test_a_token_is_in_no_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    with caplog.at_level(logging.DEBUG), pytest.raises(RaiError):
        send(event().body(), "tgram://123456789:abcdefg_hijklmnop/12315544/", "RAI_CHAT_URL")
    assert "abcdefg" not in caplog.text
