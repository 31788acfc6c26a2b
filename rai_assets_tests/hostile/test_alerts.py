"""Alerts to addresses inside, and receivers that mean harm: row 33; their text: row 28; their secrets: row 37."""

from __future__ import annotations

import sqlite3

import pytest

from rai_assets_tests.hostile.conftest import SECRET, Case
from rai_assets_tests.monitoring.alerts.sinks import SECRET as SIGNING
from rai_assets_tests.monitoring.alerts.sinks import http_sink

CHANNELS = """\
  alerts:
    channels:
      ops: {{type: webhook, url: "{url}", secret_env: RAI_OPS_SECRET}}
      chat: {{type: service, url_env: RAI_CHAT_URL}}
      risk: {{type: mail, to: [risk@example.org]}}
    rules:
      - {{when: check_failed, to: [ops]}}
"""


def declare(case: Case, url: str) -> None:
    path = case.place / "defs.yaml"
    path.write_text(path.read_text() + CHANNELS.format(url=url))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_OPS_SECRET", SIGNING)
    monkeypatch.delenv("RAI_ALERT_HOSTS", raising=False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://127.0.0.1/", "not public"),
        ("https://localhost:8443/", "not public"),
        ("https://10.0.0.1/", "not public"),
        ("https://172.16.0.1/", "not public"),
        ("https://192.168.0.1/", "not public"),
        ("https://169.254.169.254/latest/meta-data/", "not public"),
        ("https://[::ffff:169.254.169.254]/", "not public"),
        ("https://[64:ff9b::a9fe:a9fe]/", "not public"),
        ("https://2130706433/", "not public"),
        ("http://93.184.216.34/", "not encrypted"),
    ],
)
def test_33_alerts_do_not_go_inside(case: Case, url: str, says: str) -> None:
    declare(case, url)
    case.refused("alerts test loans ops", says, where="channel ops of loans", code=2)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://127.0.0.1:25/", "ftp://127.0.0.1/"])
def test_33_an_alert_by_anything_but_http_is_no_declaration(case: Case, url: str) -> None:
    declare(case, url)
    case.refused("alerts test loans ops", "no https URL", where="alerts.channels.ops.url")


@pytest.mark.parametrize("host", ["json://127.0.0.1/", "jsons://169.254.169.254/", "mailto://a:b@10.0.0.1/"])
def test_33_no_service_goes_inside_either(case: Case, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(case, "https://example.org/")
    monkeypatch.setenv("RAI_CHAT_URL", f"{host}{SECRET}")
    assert SECRET not in case.refused("alerts test loans chat", "service", where="channel chat of loans", code=2)


def test_33_a_redirect_leads_nowhere(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_ALERT_HOSTS", "localhost")
    with http_sink() as sink:
        declare(case, sink.url)
        sink.answers = [302]
        case.refused("alerts test loans ops", "the endpoint answered 302", code=4)
        assert len(sink.bodies) == 1


def test_37_secrets_of_channels_are_not_said(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(case, "https://example.org/")
    monkeypatch.setenv("RAI_OPS_SECRET", SECRET)
    case.refused("alerts test loans ops", "no secret of a webhook", where="RAI_OPS_SECRET", code=2)
    for server in (f"smtps://user:{SECRET}/x@localhost", f"ftp://user:{SECRET}@localhost", f"smtp://{SECRET}:x:y"):
        monkeypatch.setenv("RAI_SMTP_URL", server)
        case.refused("alerts test loans risk", "mail server", where="channel risk of loans", code=2)


@pytest.mark.parametrize(
    ("old", "new", "says", "line"),
    [
        ("to: [ops]}", "to: [oops]}", "there is no channel 'oops'", 14),
        ("when: check_failed", "when: check_fails", "check_failed", 20),
        ("type: webhook", "type: pigeon", "webhook", 16),
        ("when: check_failed", "when: metric_crossed", "needs `asset`, `definition`", 20),
        ("when: check_failed", "when: drift, severity: error", "only warn", 20),
        ("when: check_failed", "when: run_failed, asset: dataset", "leave out `asset`", 20),
        ("when: check_failed", "when: check_failed, asset: fairness_audits", "did you mean fairness_audit?", 20),
        ("when: check_failed", "when: check_failed, asset: batch", "there is no asset 'batch'", 20),
        ("when: check_failed", "when: check_failed, asset: drift", "write `when: drift`", 20),
        ("when: check_failed", "when: drift, asset: fairness_drif", "did you mean fairness_drift", 20),
        ("risk@example.org", "risk at example.org", "no e-mail address", 18),
        (", secret_env: RAI_OPS_SECRET", "", "secret_env", 16),
    ],
)
def test_25_a_wrong_section_is_refused_at_its_line(case: Case, old: str, new: str, says: str, line: int) -> None:
    declare(case, "https://example.org/")
    case.declare(old, new)
    case.refused("validate", says, where=f"defs.yaml:{line}")


def test_44_a_locked_outbox_is_said(case: Case) -> None:
    declare(case, "https://example.org/")
    assert case.rai("alerts", "list").code == 0
    path = case.folder / ".rai" / "alerts" / "outbox.sqlite"
    path.write_bytes(b"no database" * 1000)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    case.refused("alerts list", "the outbox of alerts cannot be used", where=str(path), code=4)
    path.unlink()
    assert case.rai("alerts", "list").out == "Nothing was told yet.\n"
    with sqlite3.connect(path) as other:
        assert other.execute("select count(*) from event").fetchone() == (0,)
    other.close()
