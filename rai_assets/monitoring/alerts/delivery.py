"""From the outbox to the channels: everything that is due, and what could not be sent again later."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from rai_assets.errors import RaiError, UsageError
from rai_assets.monitoring.alerts import mail, services, webhook
from rai_assets.monitoring.alerts.events import Event, notices
from rai_assets.monitoring.alerts.outbox import Outbox
from rai_assets.monitoring.alerts.settings import AlertSettings, Channel, MailSettings, ServiceSettings

_LONGEST = 15.0  # seconds for one try
_tries: dict[str, Thread] = {}  # {channel: its last try}


def keep(outbox: Outbox, settings: AlertSettings, events: list[Event], now: float) -> int:
    """Put events into the outbox for the channels that are told of them.

    In quiet hours only what is urgent is due at once.

    Args:
        outbox: Where to.
        settings: Of the use case that the events are of.
        events: What happened; those of one run together.
        now: Seconds since 1970.

    Returns:
        How many are new.
    """
    quiet = settings.quiet_hours
    later = quiet.over(datetime.fromtimestamp(now, UTC)).timestamp() if quiet is not None else now
    return sum(
        outbox.put(event, {name: now if urgent else later for name, urgent in receivers.items()})
        for event, receivers in notices(settings, events)
    )


def deliver(outbox: Outbox, settings: Mapping[str, AlertSettings], *, seconds: float = 20.0) -> tuple[int, list[str]]:
    """Send what is due, until it is done or the time is up.

    Args:
        outbox: What is to be sent.
        settings: {use case: its alerts}.
        seconds: No further one is begun after so long.

    Returns:
        How many were sent, and why others were not; those are tried again later.
    """
    end = time.monotonic() + seconds
    sent = 0
    faults = []
    while time.monotonic() < end and (batch := outbox.claim(time.time(), 1)):
        (sending,) = batch
        known = settings.get(sending.use_case)
        channel = known.channels.get(sending.channel) if known is not None else None
        try:
            send(channel, sending.body, f"channel {sending.channel} of {sending.use_case}", sending.rest)
        except RaiError as fault:
            faults.append(f"{sending.use_case}, {sending.channel}: {fault.what}")
            rest = fault.rest if isinstance(fault, mail.PartlyTaken) else ()
            outbox.failed(sending, time.time(), str(fault), rest)
        else:
            sent += 1
            outbox.sent(sending)
    return sent, faults


def send(channel: Channel | None, body: Mapping[str, Any], where: str, rest: Sequence[str] = ()) -> None:
    """Send one event through one channel; takes a quarter of a minute at most, whatever the other side does.

    Args:
        channel: Its declaration; None if it is not declared any more.
        body: The event as JSON value.
        where: The channel, for the errors.
        rest: Only these of its addresses, as the others have it; all when empty.

    Raises:
        UsageError: The channel is not set up.
        PartlyTaken: Some of its addresses were refused.
        RaiError: It did not take the event.
    """
    former = _tries.get(where)
    if former is not None and former.is_alive():
        raise RaiError("the former try has not ended yet", where=where, fix="look at what answers there")
    ended: SimpleQueue[RaiError | None] = SimpleQueue()

    def attempt() -> None:
        try:
            _send(channel, body, where, rest)
        except RaiError as fault:
            ended.put(fault)
        except Exception as fault:  # of a library; its words may hold a token
            said = f"it could not be sent: {type(fault).__name__}"
            ended.put(RaiError(said, where=where, fix="look at the channel's address and secret, and at what answers"))
        else:
            ended.put(None)

    # A thread, as no time-out of a socket ends a slow look-up of a name, or a mail server that talks without end.
    _tries[where] = Thread(target=attempt, name=where, daemon=True)
    _tries[where].start()
    try:
        fault = ended.get(timeout=_LONGEST)
        _tries[where].join(1.0)
    except Empty:
        fault = RaiError(f"it was not taken within {_LONGEST:g} s", where=where, fix="look at what answers there")
    if fault is not None:
        raise fault


def _send(channel: Channel | None, body: Mapping[str, Any], where: str, rest: Sequence[str]) -> None:
    if channel is None:
        raise UsageError("the channel is not declared any more", where=where, fix="declare it again, or let it expire")
    if isinstance(channel, MailSettings):
        to = [address for address in channel.to if not rest or address in rest]
        if to:  # else those that are left are not declared any more
            mail.send(body, to, where)
    elif isinstance(channel, ServiceSettings):
        services.send(body, _variable(channel.url_env, where), where)
    else:
        url = channel.url or _variable(channel.url_env or "", where)
        key = webhook.secret_key(_variable(channel.secret_env, where), where=channel.secret_env)
        webhook.post(url, key, body, time.time(), where)


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise UsageError(f"the environment variable {name} is not set", where=where, fix=f"set {name}")
    return value
