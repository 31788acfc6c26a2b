"""Where the store is: what the environment may say, and what each mistake is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.errors import UsageError
from rai_assets.store.lakefs_settings import LakeFSSettings

KEYS = {"RAI_LAKEFS_ACCESS_KEY_ID": "AKIA", "RAI_LAKEFS_SECRET_ACCESS_KEY": "do-not-show"}


def at(address: str, **more: str) -> LakeFSSettings | None:
    return LakeFSSettings.read({"RAI_STORE": address, **KEYS, **more})


@pytest.mark.parametrize("environment", [{}, {"RAI_STORE": ""}, {"RAI_STORE": "embedded"}])
def test_the_store_is_embedded_unless_a_server_is_named(environment: dict[str, str]):
    assert LakeFSSettings.read(environment) is None


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("lakefs+http://localhost:8000", "http://localhost:8000"),
        ("lakefs+https://lake.example.org/", "https://lake.example.org"),
        ("lakefs+http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_server_is_named_by_its_address(address: str, endpoint: str):
    settings = at(address)
    assert settings is not None
    assert settings.endpoint == endpoint


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("lakefs+http://localhost:8000/api/v1", "leave out /api/v1"),
        ("lakefs+http://localhost:8000/api/v1/", "leave out /api/v1"),
        ("http://localhost:8000", r"lakefs\+http"),
        ("lakefs+ftp://localhost", "names no store"),
        ("lakefs+http://", "names no store"),
        ("lakefs+http://localhost:99999", "the port"),
        ("lakefs+http://ana:do-not-show@localhost", "credentials do not belong"),
        ("S3://do-not-show", "names no store"),
        ("lakefs+http://localhost?x=1", "goes on after the port"),
    ],
)
def test_a_malformed_address_is_answered_with_the_fix(address: str, said: str):
    with pytest.raises(UsageError, match=said) as refusal:
        at(address)
    assert "RAI_STORE" in str(refusal.value)
    assert "do-not-show" not in str(refusal.value)


def test_missing_credentials_are_named():
    with pytest.raises(UsageError, match="RAI_LAKEFS_SECRET_ACCESS_KEY") as refusal:
        LakeFSSettings.read({"RAI_STORE": "lakefs+http://localhost", "RAI_LAKEFS_ACCESS_KEY_ID": "AKIA"})
    assert "AKIA" not in str(refusal.value)


def test_what_else_can_be_set(tmp_path: Path):
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    settings = at(
        "lakefs+https://localhost",
        RAI_LAKEFS_STORAGE="s3://bucket/folder/",
        RAI_LAKEFS_CA_FILE=str(authority),
        RAI_LAKEFS_TIMEOUT="30",
    )
    assert settings is not None
    assert (settings.storage, settings.ca_file, settings.timeout) == ("s3://bucket/folder", authority, 30.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("RAI_LAKEFS_CA_FILE", "/nothing/ca.pem"), ("RAI_LAKEFS_TIMEOUT", "soon"), ("RAI_LAKEFS_TIMEOUT", "nan")],
)
def test_a_malformed_setting_is_named(name: str, value: str):
    with pytest.raises(UsageError, match=name):
        at("lakefs+https://localhost", **{name: value})


def test_credentials_are_shown_nowhere():
    settings = at("lakefs+http://localhost:8000")
    assert "AKIA" not in repr(settings)
    assert "do-not-show" not in repr(settings)
