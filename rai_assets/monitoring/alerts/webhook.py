"""A signed JSON post to an address that was checked, after the Standard Webhooks specification (v1, symmetric)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

from rai_assets.errors import RaiError, UsageError
from rai_assets.monitoring.alerts.addresses import Target, target

_SECONDS = 5.0  # to connect, and between two parts of the answer
_LONGEST = 10.0  # seconds from the connection to the end of the answer's head, however slowly it drips
_PREFIX = "whsec_"


def secret_key(text: str, where: str) -> bytes:
    """The key in a secret.

    Args:
        text: `whsec_` and 24 to 64 bytes in base64.
        where: The variable that it comes from.

    Raises:
        UsageError: It is none; the secret is not shown.
    """
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise UsageError(
            "this is no secret of a webhook",
            where=where,
            fix="make one: python -c \"import base64,os; print('whsec_'+base64.b64encode(os.urandom(32)).decode())\"",
        )
    return key


def signature(key: bytes, event: str, seconds: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `event.seconds.body`.

    Args:
        key: The receiver knows it too.
        event: Id of the event.
        seconds: When it is sent, since 1970.
        body: The bytes that are sent.
    """
    signed = f"{event}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(url: str, key: bytes, body: Mapping[str, Any], now: float, where: str) -> None:
    """Send an event; returns when the receiver has answered 2xx. Redirects are not followed.

    Args:
        url: The endpoint.
        key: Signs the event.
        body: The event as JSON value, with its `id`.
        now: Seconds since 1970.
        where: The setting that names the endpoint, for the errors.

    Raises:
        UsageError: The address is not one that alerts are sent to.
        RaiError: The endpoint did not answer, or not with 2xx.
    """
    place = target(url, where)
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "rai_assets",
        "host": _host(place),
        "webhook-id": str(body["id"]),
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signature(key, str(body["id"]), int(now), content),
    }
    status = _call(place, content, headers, where)
    if not 200 <= status < 300:
        raise RaiError(f"the endpoint answered {status}", where=where, fix="look at the endpoint's own log")


def _call(place: Target, content: bytes, headers: Mapping[str, str], where: str) -> int:
    """The status of the answer; what follows its head is not read."""
    try:
        with _connected(place) as stream:
            connection = http.client.HTTPConnection(place.host, place.port)
            connection.sock = stream
            connection.request("POST", place.path, body=content, headers=dict(headers))
            return connection.getresponse().status
    except (http.client.HTTPException, OSError, ValueError) as fault:
        raise RaiError(
            f"the endpoint gave no answer: {type(fault).__name__}", where=where, fix="check that it is reachable"
        ) from fault


@contextmanager
def _connected(place: Target) -> Iterator[socket.socket]:
    """A connection to the address that was checked, which ends after ten seconds whoever is using it.

    No proxy of the environment is asked: it would look the name up again.
    """
    with socket.create_connection((place.address, place.port), timeout=_SECONDS) as plain, plain.dup() as handle:

        def end() -> None:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

        limit = Timer(_LONGEST, end)
        limit.daemon = True
        limit.start()
        try:
            if place.scheme == "https":
                # The certificate must be of the name in the URL.
                with ssl.create_default_context().wrap_socket(plain, server_hostname=place.host) as safe:
                    yield safe
            else:
                yield plain
        finally:
            limit.cancel()


def _host(place: Target) -> str:
    name = f"[{place.host}]" if ":" in place.host else place.host
    usual = 443 if place.scheme == "https" else 80
    return name if place.port == usual else f"{name}:{place.port}"
