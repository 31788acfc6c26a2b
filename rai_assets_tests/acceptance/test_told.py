"""Batches under `rai dev` that are told of: the real sensors, daemon and run workers, and an endpoint that was dead."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rai_assets.keys import check_name
from rai_assets.monitoring.alerts.outbox import open_outbox
from rai_assets.store import results
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.acceptance.asking import Ask, wait_for
from rai_assets_tests.acceptance.conftest import Rai
from rai_assets_tests.acceptance.test_dev import served
from rai_assets_tests.acceptance.test_production import runs, states
from rai_assets_tests.monitoring.alerts.sinks import KEY, SECRET, Sink, http_sink
from rai_assets_tests.store.backends import NO_SERVER
from rai_assets_tests.store.lakefs_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Server, executable, free_port
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows

TOLD = ("drift", "attribution_drift", "fairness_drift", "estimated_performance", "realized_performance")
WATCHED = """\
  production: {inbox: {path: inbox, settle: 2}}
  alerts:
    channels:
      hook: {type: webhook, url: "http://localhost:%d/hook", secret_env: RAI_HOOK_SECRET}
    rules:
      - {when: check_failed, to: [hook]}
      - {when: drift, to: [hook]}
      - {when: quarantine, to: [hook]}
      - {when: run_failed, to: [hook]}
"""
Told = tuple[str, str, str, str]


def told_settings() -> dict[str, str]:
    """The secret of the endpoint, and that it may be on this machine."""
    return {"RAI_HOOK_SECRET": SECRET, "RAI_ALERT_HOSTS": "localhost"}


@pytest.fixture(params=["embedded", "lakefs"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """What `rai` finds in its environment: the secret of the endpoint, its host, and the store."""
    if request.param == "embedded":
        yield told_settings()
        return
    if executable() is None:
        pytest.skip(NO_SERVER)
    server = Server(tmp_path / "server").start()
    store = {
        "RAI_STORE": f"lakefs+{server.endpoint}",
        "RAI_LAKEFS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "RAI_LAKEFS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }
    for name, value in store.items():
        monkeypatch.setenv(name, value)  # for what the test itself reads
    try:
        yield {**told_settings(), **store}
    finally:
        server.stop()


def watched(folder: Path, port: int) -> Path:
    """A use case in production in a user's folder, told of at a port of this machine; its inbox."""
    place = folder / "defs" / "loans"
    (place / "inbox").mkdir(parents=True)
    (place / "defs.yaml").write_text(DECLARATION + WATCHED % port)
    (place / "loans.csv").write_text(loan_rows())
    return place / "inbox"


def failed_checks(repository: VersionedRepository, batches: list[str]) -> set[Told]:
    """What is worth an alert in the stored results of batches."""
    found = set()
    for batch in batches:
        for thing in TOLD:
            result = results.load(repository, "results-production", thing, parts=(), folder=f"batches/{batch}/")
            kind = "rai.check_failed" if thing == "realized_performance" else "rai.drift"
            failed = [name for name, check in result.facts["checks"].items() if not check["passed"]]
            failed += [check_name(item["id"]) for item in result.facts["verdicts"] if item["verdict"] == "fail"]
            found |= {(kind, thing, name, batch) for name in failed}
    return found


def told(sink: Sink) -> list[Told]:
    return sorted((item["type"], item["asset"], item["subject"], item["partition"]) for item in sink.events())


def signed(head: Mapping[str, str], body: bytes) -> bool:
    """Whether a post carries the signature of Standard Webhooks under our key, and was signed just now."""
    signed_text = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, signed_text, hashlib.sha256)).decode()
    return head["webhook-signature"] == f"v1,{expected}" and abs(time.time() - int(head["webhook-timestamp"])) < 900


def all_ended(ask: Ask) -> bool:
    found = runs(ask)
    return bool(found) and all(status in ("SUCCESS", "FAILURE") for _, _, status in found)


@pytest.mark.nightly  # the sensors' ticks are 30 s apart, and a dead endpoint is tried again after 30 s, a minute, ...
@pytest.mark.timeout(1800)
def test_drift_and_quarantine_are_told_once_to_an_endpoint_that_was_dead(
    rai: Rai, tmp_path: Path, settings: dict[str, str]
) -> None:
    port = free_port()
    inbox = watched(tmp_path, port)
    rai("run", "loans", settings=settings)
    repository = open_repository(tmp_path / ".rai", "rai-loans")
    outbox = open_outbox(tmp_path / ".rai")
    with served(tmp_path, settings) as (ask, _):
        (inbox / "good.csv").write_text(loan_rows(200, seed=1))
        (inbox / "bad.csv").write_text(loan_rows(200, seed=2).replace(",F,", ",?,"))
        (inbox / "rich.csv").write_text(loan_rows(200, seed=3, mean=110))
        verdicts = {"good": "accepted", "bad": "quarantined", "rich": "accepted"}
        wait_for(lambda: states(tmp_path) == verdicts, 500, "a verdict on each")
        wait_for(lambda: all_ended(ask), 300, "the end of the runs")
        expected = {("rai.quarantine", "batch", "", "bad"), *failed_checks(repository, ["good", "rich"])}
        assert ("rai.drift", "drift", "columns_unchanged", "rich") in expected

        wait_for(lambda: any(item.tries for item in outbox.listing()), 200, "a try at the dead endpoint")
        assert {item.state for item in outbox.listing()} == {"waiting"}
        with http_sink(port) as sink:
            wait_for(lambda: len(sink.bodies) >= len(expected), 300, "the alerts")
            assert told(sink) == sorted(expected)
            assert all(signed(head, body) for head, body in zip(sink.heads, sink.bodies, strict=True))
            assert [head["webhook-id"] for head in sink.heads] == [item["id"] for item in sink.events()]

            # Its rows are mended; and whatever is looked at again is no news.
            (inbox / "bad.csv").write_text(loan_rows(200, seed=2))
            wait_for(lambda: states(tmp_path)["bad"] == "accepted", 300, "the mended batch")
            wait_for(lambda: all_ended(ask), 300, "the end of its run")
            expected |= failed_checks(repository, ["bad"])
            wait_for(lambda: len(sink.bodies) >= len(expected), 120, "what is told of it")
            time.sleep(70)  # two further looks
            assert told(sink) == sorted(expected)
        assert {item.state for item in outbox.listing()} == {"sent"}
