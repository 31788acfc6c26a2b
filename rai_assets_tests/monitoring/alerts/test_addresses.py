"""Where alerts are sent to: hostile addresses are refused before a byte leaves."""

from __future__ import annotations

import pytest

from rai_assets.errors import UsageError
from rai_assets.monitoring.alerts.addresses import target


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/x",
        "https://172.16.0.1/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://[fc00::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[2002:7f00:1::]/x",  # 6to4 of 127.0.0.1
        "https://[64:ff9b::7f00:1]/x",  # NAT64 of 127.0.0.1
        "https://[64:ff9b::10.0.0.1]/x",
        "https://[::127.0.0.1]/x",  # IPv4-compatible
        "https://[fe80::1%25lo]/x",
        "https://[::1%25lo]/x",
        "https://240.0.0.1/x",
        "https://2130706433/x",  # 127.0.0.1 as one number
        "https://0x7f.1/x",
        "https://[ff0e::1]/x",  # multicast
        "https://[4000::1]/x",  # reserved
    ],
)
def test_addresses_of_this_machine_and_its_networks_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not public|not known") as refused:
        target(url, "channel ops")
    assert "channel ops" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "no https URL"),
        ("javascript:alert(1)", "no https URL"),
        ("https:///path", "no https URL"),
        ("https://user:secret@example.org/", "credentials"),
        ("https://user@example.org/", "credentials"),
        ("https://:secret@example.org/", "credentials"),
        ("ftp://93.184.216.34/x", "no https URL"),
        ("http://93.184.216.34/x", "not encrypted"),
        ("https://93.184.216.34/x\r\nX-Injected: 1", "no https URL"),
        ("https://93.184.216.34/a b", "no https URL"),
        ("https://93.184.216.34/a\tb", "no https URL"),
        ("https://93.184.216.34:99999/", "cannot be read"),
    ],
)
def test_what_is_no_address_for_alerts_is_refused_without_being_shown(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        target(url, "RAI_OPS_URL")
    assert "secret" not in str(refused.value)


def test_a_public_address_is_taken_with_its_port_and_query() -> None:
    found = target("https://93.184.216.34/hook?token=1", "channel ops")
    assert (found.scheme, found.host, found.port, found.path) == ("https", "93.184.216.34", 443, "/hook?token=1")
    assert found.address == "93.184.216.34"
    assert target("https://93.184.216.34", "channel ops").path == "/"
    # What a URL may hold is sent as it stands.
    assert target("https://93.184.216.34/a%2Fb;c=1/@x?y='z'&t=~", "channel ops").path == "/a%2Fb;c=1/@x?y='z'&t=~"
    assert target("https://[64:ff9b::5db8:d822]/", "channel ops").address == "64:ff9b::5db8:d822"  # NAT64 of that one


def test_an_administrator_may_name_hosts_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_ALERT_HOSTS", "other.example.org, LOCALHOST")
    assert target("http://localhost:8080/x", "channel ops").port == 8080
    assert target("http://localhost/x", "channel ops").port == 80
    assert target("https://localhost/x", "channel ops").port == 443
    with pytest.raises(UsageError, match="not public"):
        target("https://127.0.0.1/x", "channel ops")  # the name was allowed, not what it stands for


def test_no_host_is_named_by_an_empty_entry_or_a_part_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_ALERT_HOSTS", "host,, other.example.org")
    with pytest.raises(UsageError, match="not public"):
        target("https://localhost/x", "channel ops")


def test_a_public_name_beside_one_inside_is_refused_and_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolver(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")[: len(asked) + 1]]

    monkeypatch.setattr("socket.getaddrinfo", resolver)
    with pytest.raises(UsageError, match="leads to 10.0.0.1"):
        target("https://rebound.example.org/x", "channel ops")
    assert asked == ["rebound.example.org"]


def test_a_name_in_another_script_is_asked_for_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 443))])
    assert target("https://例え.jp/x", "channel ops").host == "xn--r8jz45g.jp"
    with pytest.raises(UsageError, match="no name"):
        target(f"https://{'x' * 70}.example.org/", "channel ops")
