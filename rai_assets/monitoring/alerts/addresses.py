"""Where an alert may be sent to: public addresses, and the hosts that an administrator names.

A name is resolved once; all its addresses must be allowed, and the connection is made to one of those, so that a second
look-up cannot lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from rai_assets.errors import UsageError

HOSTS = "RAI_ALERT_HOSTS"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True)
class Target:
    """An address that may be called.

    Attributes:
        scheme: `https` or `http`.
        host: The name in the URL in ASCII (IDNA), for the certificate and the `Host` header.
        port: Of the service.
        path: With the query, in ASCII.
        address: The IP address that the name was resolved to.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: str


def target(url: str, where: str) -> Target:
    """Check a URL and resolve its host.

    Args:
        url: `https://host[:port]/path`; http only to hosts of `RAI_ALERT_HOSTS`. Not shown in errors, as it may hold
            a token.
        where: The setting that it comes from, for the errors.

    Raises:
        UsageError: It is no such URL, the host is unknown, or it leads to an address that alerts are not sent to.
    """
    parts = read(url, where)
    host, port = parts.hostname or "", parts.port
    allowed = host.lower() in _named_hosts()
    host = _ascii(host, where)
    if parts.scheme == "http" and not allowed:
        raise UsageError(
            "the URL is not encrypted (http)",
            where=where,
            fix=f"use https, or name the host in {HOSTS} (administrator)",
        )
    port = port or (443 if parts.scheme == "https" else 80)
    addresses = _resolve(host, port, where)
    refused = [address for address in addresses if not allowed and not _public(address)]
    if refused:
        raise UsageError(
            f"{host} leads to {refused[0]}, an address that is not public",
            where=where,
            fix=f"use a public host; an administrator may name the host in {HOSTS}, separated by commas",
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, quote(path, safe="%/:?&=+,;@!$'()*~[]"), addresses[0])


def read(url: str, where: str) -> SplitResult:
    """The parts of a URL that could be called; nothing is resolved. Arguments as of `target`.

    Raises:
        UsageError: It is no https or http URL, or holds credentials.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError as fault:
        raise UsageError("the URL cannot be read", where=where, fix="write it as https://host/path") from fault
    if parts.scheme not in ("https", "http") or not parts.hostname or any(sign in url for sign in "\r\n\t "):
        raise UsageError("this is no https URL", where=where, fix="write it as https://host/path")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "credentials do not belong into the URL", where=where, fix="leave out what stands before the @"
        )
    return parts


def _named_hosts() -> set[str]:
    return {name.strip().lower() for name in os.environ.get(HOSTS, "").split(",") if name.strip()}


def _ascii(host: str, where: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError as fault:
        raise UsageError("the host in the URL is no name", where=where, fix="check its spelling") from fault


def _resolve(host: str, port: int, where: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise UsageError(
            f"the host {host} is not known", where=where, fix="check its spelling and the network"
        ) from fault
    return [str(entry[4][0]) for entry in found]


def _public(address: str) -> bool:
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inside = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF) if number in _NAT64 else None
        inner = number.ipv4_mapped or number.sixtofour or inside
        if inner is not None:
            return _public(str(inner))
    return number.is_global and not number.is_multicast and not number.is_reserved
