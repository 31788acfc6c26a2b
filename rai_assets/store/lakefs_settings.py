"""Where the store is and how it is reached, read from the environment; the only place that reads credentials."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rai_assets.errors import UsageError

STORE = "RAI_STORE"
EMBEDDED = "embedded"
_SCHEME = "lakefs+"
_FORM = "set it to `embedded`, or to lakefs+http://HOST:PORT or lakefs+https://HOST"
_KEY, _SECRET = "RAI_LAKEFS_ACCESS_KEY_ID", "RAI_LAKEFS_SECRET_ACCESS_KEY"
_STORAGE, _CA, _TIMEOUT = "RAI_LAKEFS_STORAGE", "RAI_LAKEFS_CA_FILE", "RAI_LAKEFS_TIMEOUT"
_SECONDS = 120.0


@dataclass(frozen=True)
class LakeFSSettings:
    """How a lakeFS server is reached.

    Attributes:
        endpoint: `http://host:port` or `https://host:port`, without a path.
        access_key_id: Its part of the credentials that may be seen by the server's people only.
        secret_access_key: The other part.
        storage: Where new repositories keep their objects, e.g. `s3://bucket/folder`; empty: as the server says.
        ca_file: Certificates that the server's one is checked against; None for the system's.
        timeout: Seconds to wait for an answer.
    """

    endpoint: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    storage: str = ""
    ca_file: Path | None = None
    timeout: float = _SECONDS

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> LakeFSSettings | None:
        """The settings in the environment; None where the store is the embedded one.

        Raises:
            UsageError: A setting is missing or malformed.
        """
        location = environment.get(STORE, "").strip() or EMBEDDED
        if location == EMBEDDED:
            return None
        missing = [name for name in (_KEY, _SECRET) if not environment.get(name)]
        endpoint = _endpoint(location)
        if missing:
            raise UsageError(
                f"the credentials of {endpoint} are missing", where=" and ".join(missing), fix="set them to a key pair"
            )
        return cls(
            endpoint=endpoint,
            access_key_id=environment[_KEY],
            secret_access_key=environment[_SECRET],
            storage=environment.get(_STORAGE, "").rstrip("/"),
            ca_file=_file(environment.get(_CA, "")),
            timeout=_seconds(environment.get(_TIMEOUT, "")),
        )


def _endpoint(location: str) -> str:
    if not location.startswith(_SCHEME):
        # Not shown: it may be a URL with a password in it.
        raise UsageError("this names no store", where=STORE, fix=_FORM)
    try:
        parts = urlsplit(location.removeprefix(_SCHEME))
        port = parts.port
    except ValueError as fault:
        raise UsageError("the port is no number up to 65535", where=STORE, fix=_FORM) from fault
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("this names no store", where=STORE, fix=_FORM)
    if parts.username is not None or parts.password is not None:
        raise UsageError("credentials do not belong into the address", where=STORE, fix=f"set {_KEY} and {_SECRET}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(
            f"the address goes on after the port: {parts.path or location[-20:]}",
            where=STORE,
            fix=f"leave out /api/v1 and what else follows the port; {_FORM}",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def _file(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise UsageError(
            "there is no such file of certificates", where=f"{_CA}={text}", fix="name the PEM file of the authority"
        )
    return path


def _seconds(text: str) -> float:
    try:
        seconds = float(text or _SECONDS)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise UsageError(
            "the time-out is no number of seconds from 1 to 86400",
            where=f"{_TIMEOUT}={text}",
            fix=f"set it to a number, or leave it out for {_SECONDS:g}",
        )
    return seconds
