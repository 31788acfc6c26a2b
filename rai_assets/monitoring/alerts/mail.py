"""An event as an e-mail in plain text."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from rai_assets.errors import RaiError, UsageError

SERVER = "RAI_SMTP_URL"
SENDER = "RAI_SMTP_FROM"
_SECONDS = 10.0
_FORM = f"set {SERVER}=smtps://USER:PASSWORD@HOST:465 (or smtp://… with STARTTLS) and {SENDER}=alerts@example.org"


class PartlyTaken(RaiError):
    """The mail server took an event for some of its receivers.

    Args:
        rest: Addresses that it refused.
        where: The channel.
    """

    def __init__(self, rest: Sequence[str], *, where: str) -> None:
        self.rest = tuple(rest)
        fix = "correct or remove the address; it alone is tried again"
        super().__init__(f"the mail server refused {', '.join(rest)}, and took it for the others", where=where, fix=fix)


def message(body: Mapping[str, Any], sender: str, to: Sequence[str]) -> EmailMessage:
    """The e-mail that tells of an event; its id is that of the event, so that a mail system can drop a second copy.

    Args:
        body: The event as JSON value.
        sender: Address it comes from.
        to: Addresses it goes to.
    """
    mail = EmailMessage()
    mail["Subject"] = " ".join(str(body["title"]).split())
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Message-ID"] = f"<{body['id']}@{sender.rpartition('@')[2] or 'rai_assets'}>"
    mail["Auto-Submitted"] = "auto-generated"
    facts = {
        "Use case": body["use_case"],
        "Asset": body["asset"],
        "Of": body["subject"],
        "Partition": body["partition"],
        "Run": body["run"],
        "Time": body["at"],
        "Page": body["link"],
    }
    lines = [str(body["text"]), "", *(f"{name}: {value}" for name, value in facts.items() if value)]
    mail.set_content("\n".join(lines) + "\n")
    return mail


def send(body: Mapping[str, Any], to: Sequence[str], where: str) -> None:
    """Hand an event to the mail server.

    Args:
        body: The event as JSON value.
        to: Addresses.
        where: The channel, for the errors.

    Raises:
        UsageError: The server or the sender is not set.
        PartlyTaken: It refuses some of the addresses.
        RaiError: The server is away, or it refuses all.
    """
    sender = os.environ.get(SENDER, "")
    try:
        parts = urlsplit(os.environ.get(SERVER, ""))
        port = parts.port
    except ValueError:
        # Neither shown nor chained: there may be a password in it.
        raise UsageError(
            "the address of the mail server cannot be read",
            where=where,
            fix=f"{_FORM}; write signs as / : @ # of a password as %2F %3A %40 %23",
        ) from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or "@" not in sender:
        raise UsageError("no mail server is set", where=where, fix=_FORM)
    mail = message(body, sender, to)
    try:
        with _connect(parts.scheme, parts.hostname, port) as server:
            if parts.username:
                if not isinstance(server.sock, ssl.SSLSocket):
                    raise UsageError(
                        "the mail server offers no encryption, and others could read the password",
                        where=where,
                        fix="use smtps://, or a server with STARTTLS; one without a password may go without",
                    )
                server.login(unquote(parts.username), unquote(parts.password or ""))
            refused = server.send_message(mail)
    except (smtplib.SMTPException, OSError) as fault:
        raise RaiError(
            f"the mail server did not take it: {type(fault).__name__}", where=where, fix=f"look at its log; {_FORM}"
        ) from fault
    if refused:
        raise PartlyTaken([address for address in to if address in refused], where=where)


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    safe = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_SECONDS, context=safe)
    server = smtplib.SMTP(host, port or 587, timeout=_SECONDS)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=safe)
    except BaseException:
        server.close()
        raise
    return server
