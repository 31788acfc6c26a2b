"""The commands about alerts. Every command parses, calls, prints."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from rai_assets.cli_words import Name, OneOrAll
from rai_assets.errors import UsageError

commands = typer.Typer(help="What people are told, and what waits to be sent.")


@commands.command("list")
def list_(
    name: OneOrAll = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest first.", min=1, max=10_000)] = 20,
) -> None:
    """What was sent, what waits and why."""
    from rai_assets.home import home
    from rai_assets.monitoring.alerts.outbox import open_outbox
    from rai_assets.use_case.declaration import find

    if name is not None:
        find(name)
    found = open_outbox(home()).listing(name, limit)
    for item in found:
        due = datetime.fromtimestamp(item.due, UTC).strftime("%Y-%m-%d %H:%M UTC")
        state = item.state if item.state != "waiting" else f"waiting until {due}"
        print(f"{item.body['at']}  {item.channel}: {state}, tries {item.tries}  {item.body['title']}")
        if item.fault:
            print(f"    {item.fault.splitlines()[0]}")
    if not found:
        print("Nothing was told yet.")


@commands.command()
def test(name: Name, channel: Annotated[str, typer.Argument(help="Name of the channel.", metavar="CHANNEL")]) -> None:
    """Send a test alert through one channel now."""
    from rai_assets.monitoring.alerts.delivery import send
    from rai_assets.monitoring.alerts.events import Event
    from rai_assets.use_case.declaration import find

    channels = find(name).use_case.alerts.channels
    if channel not in channels:
        there = ", ".join(channels) or "none; declare them under `alerts: channels:`"
        raise UsageError(f"{name} has no channel {channel[:80]!r}", fix=f"the channels are: {there}")
    words = (f"{name}: test of the channel {channel}", "Sent by `rai alerts test`. Nothing happened.")
    event = Event("check_failed", name, "", "test", "", "", time.time(), "warning", *words)
    send(channels[channel], event.body(), f"channel {channel} of {name}")
    print(f"{channel} has taken it")


@commands.command()
def retry() -> None:
    """Make what could not be sent due now. The sensor `alerts` sends it within half a minute."""
    from rai_assets.home import home
    from rai_assets.monitoring.alerts.outbox import open_outbox

    print(f"{open_outbox(home()).again(time.time())} due now")
