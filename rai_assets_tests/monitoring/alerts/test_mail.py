"""E-mail: plain text, one header line a header, handed to a real server."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from rai_assets.errors import RaiError, UsageError
from rai_assets.monitoring.alerts.mail import message, send
from rai_assets_tests.monitoring.alerts.conftest import event
from rai_assets_tests.monitoring.alerts.sinks import certificate_of, mail_sink


def test_a_server_takes_the_event_with_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_sink() as sink:
        monkeypatch.setenv("RAI_SMTP_URL", f"smtp://localhost:{sink.port}")
        monkeypatch.setenv("RAI_SMTP_FROM", "alerts@example.org")
        send(event(link="https://pages.example.org/runs/run-1").body(), ["risk@example.org"], "channel team")
    (body,) = sink.bodies
    mail = email.message_from_bytes(body, policy=email.policy.default)
    assert mail["Subject"] == "It failed"
    assert mail["To"] == "risk@example.org"
    assert mail["Message-ID"] == f"<{event().id}@example.org>"
    text = mail.get_content()
    assert text.startswith("Why.")
    assert "Partition: main" in text
    assert "Page: https://pages.example.org/runs/run-1" in text


def test_a_name_with_a_line_break_makes_no_header() -> None:
    mail = message(event(title="Drift of\r\nBcc: all@example.org").body(), "alerts@example.org", ["risk@example.org"])
    assert mail["Subject"] == "Drift of Bcc: all@example.org"
    assert mail["Bcc"] is None


def test_without_a_server_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_SMTP_URL", "ftp://user:hunter2@localhost")
    with pytest.raises(UsageError, match="no mail server") as refused:
        send(event().body(), ["risk@example.org"], "channel team")
    assert "RAI_SMTP_URL" in refused.value.fix
    assert "hunter2" not in str(refused.value)


def test_a_server_that_is_away_is_a_fault_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_SMTP_URL", "smtp://user:hunter2@localhost:1")
    monkeypatch.setenv("RAI_SMTP_FROM", "alerts@example.org")
    with pytest.raises(RaiError, match="did not take it") as fault:
        send(event().body(), ["risk@example.org"], "channel team")
    assert "hunter2" not in str(fault.value)


@pytest.mark.parametrize("password", ["hun/ter2", "hun#ter2", "hun?ter2", "[hunter2"])
def test_a_password_with_signs_of_a_url_is_never_shown(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_SMTP_URL", f"smtps://user:{password}@localhost:465")
    monkeypatch.setenv("RAI_SMTP_FROM", "alerts@example.org")
    with pytest.raises(UsageError, match="mail server") as refused:
        send(event().body(), ["risk@example.org"], "channel team")
    assert "ter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "%2F" in refused.value.fix


def test_no_password_goes_over_a_line_that_others_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_sink() as sink:  # it offers no STARTTLS
        monkeypatch.setenv("RAI_SMTP_URL", f"smtp://user:hunter2@localhost:{sink.port}")
        monkeypatch.setenv("RAI_SMTP_FROM", "alerts@example.org")
        with pytest.raises(UsageError, match="offers no encryption"):
            send(event().body(), ["risk@example.org"], "channel team")
    assert sink.bodies == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("name", "trusted", "taken"),
    [("localhost", True, True), ("localhost", False, False), ("elsewhere.example.org", True, False)],
)
def test_the_certificate_must_be_trusted_and_of_the_name_of_the_server(
    name: str, trusted: bool, taken: bool, at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_of(name, tmp_path / "certificate.pem")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_sink(certificate, at_once=at_once) as sink:
        monkeypatch.setenv("RAI_SMTP_URL", f"{'smtps' if at_once else 'smtp'}://localhost:{sink.port}")
        monkeypatch.setenv("RAI_SMTP_FROM", "alerts@example.org")
        if taken:
            send(event().body(), ["risk@example.org"], "channel team")
        else:
            with pytest.raises(RaiError, match="did not take it: SSLCertVerificationError"):
                send(event().body(), ["risk@example.org"], "channel team")
    assert len(sink.bodies) == taken
